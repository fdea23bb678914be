"""What each overlay makes: kubectl's kustomize, and the objects in it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
import yaml

from k8s.check.tools import CACHE, run


class Rendered(msgspec.Struct, frozen=True):
    """One overlay's objects."""

    name: str
    file: Path
    """All of them in one YAML file, as `kubectl apply -f` would take them."""
    objects: list[dict[str, Any]]


def overlays(checkout: Path) -> list[Path]:
    """The folders that somebody applies: every overlay, and what is beside them."""
    found = sorted((checkout / "k8s" / "overlays").glob("*/kustomization.yaml"))
    found += sorted((checkout / "k8s").glob("*/kustomization.yaml"))
    base = checkout / "k8s" / "base"
    # The base is part of each overlay and nothing by itself.
    return [file.parent for file in found if file.parent != base]


def render(folder: Path) -> Rendered:
    """Raises ToolError with kustomize's words if it cannot be made."""
    # The wheel's program lies beside the interpreter; another kubectl on the path may be older.
    own = Path(sys.executable).with_name("kubectl")
    program = own if own.exists() else "kubectl"
    text = run([program, "kustomize", folder])
    target = CACHE / "rendered" / f"{folder.name}.yaml"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
    objects = [found for found in yaml.safe_load_all(text) if found]
    return Rendered(name=folder.name, file=target, objects=objects)


def title(found: dict[str, Any]) -> str:
    """How a person names an object: Deployment/wallet."""
    metadata = found.get("metadata") or {}
    return f"{found.get('kind', '?')}/{metadata.get('name', '?')}"
