"""What each overlay makes: kubectl's kustomize, and the objects in it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import yaml

from k8s.check.tools import CACHE, run


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """As Kubernetes reads YAML: what looks like a time is a text."""

    yaml_implicit_resolvers: ClassVar = {
        first: [(tag, expression) for tag, expression in resolvers if "timestamp" not in tag]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


class Rendered(msgspec.Struct, frozen=True):
    """One overlay's objects."""

    name: str
    file: Path
    """All of them in one YAML file, as `kubectl apply -f` would take them."""
    objects: list[dict[str, Any]]


def overlays(checkout: Path) -> list[Path]:
    """The folders that somebody applies: overlays, what lies right in k8s/, and what is part of no
    other. Not the base, which is nothing by itself."""
    root = checkout / "k8s"
    read = {
        file.parent: yaml.safe_load(file.read_text()) for file in root.rglob("kustomization.yaml")
    }
    parts = {
        (folder / str(name)).resolve()
        for folder, content in read.items()
        for name in (content.get("resources") or []) + (content.get("components") or [])
    }
    return sorted(
        folder
        for folder, content in read.items()
        if content["kind"] == "Kustomization"
        and folder != root / "base"
        and (folder.parent in (root, root / "overlays") or folder.resolve() not in parts)
    )


def render(folder: Path) -> Rendered:
    """Raises ToolError with kustomize's words if it cannot be made."""
    # The wheel's program lies beside the interpreter; another kubectl on the path may be older.
    own = Path(sys.executable).with_name("kubectl")
    program = own if own.exists() else "kubectl"
    text = run([program, "kustomize", folder])
    name = "-".join(folder.parts[folder.parts.index("k8s") + 1 :])
    target = CACHE / "rendered" / f"{name}.yaml"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
    objects = [found for found in yaml.load_all(text, Loader=_Loader) if found]
    return Rendered(name=name, file=target, objects=objects)


def title(found: dict[str, Any]) -> str:
    """How a person names an object: Deployment/wallet."""
    metadata = found.get("metadata") or {}
    return f"{found.get('kind', '?')}/{metadata.get('name', '?')}"
