"""Schemas of custom resources, made of their Go types as their own projects make them.

`crds/go.mod` pins the modules (go.sum: their hashes), `crds/types.go` lists the packages. What
cannot be checked here are the CEL rules in them, which only an API server evaluates.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from k8s.check.rendering import Rendered, title
from k8s.check.tools import CACHE, CONTROLLER_GEN, go_tool, run

TYPES = Path(__file__).with_name("crds")

_CONDITIONS = ("allOf", "anyOf", "oneOf", "not", "enum", "default", "required")
"""What says something about fields that are declared elsewhere."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""These files are megabytes: libyaml's loader where there is one."""

Schemas = dict[tuple[str, str], dict[str, Any]]
"""By apiVersion and kind."""


def custom_schemas() -> Schemas:
    """Make the schemas, or take those made before of the same modules."""
    packages = re.findall(r'^\s+_ "([^"]+)"', (TYPES / "types.go").read_text(), re.MULTILINE)
    if not packages:
        return {}
    pinned = b"".join((TYPES / name).read_bytes() for name in ("go.mod", "go.sum", "types.go"))
    key = hashlib.sha256(pinned + CONTROLLER_GEN.version.encode()).hexdigest()[:16]
    folder = CACHE / "crds" / key
    if not (folder / "done").exists():
        program = go_tool(CONTROLLER_GEN)
        print("making the schemas of custom resources (once)", flush=True)
        for number, package in enumerate(packages):
            run(
                [
                    *(program, "crd:ignoreUnexportedFields=true,allowDangerousTypes=true"),
                    *(f"paths={package}", f"output:crd:dir={folder / str(number)}"),
                ],
                folder=TYPES,
                environment={"GOFLAGS": "-mod=readonly"},
                timeout_seconds=600,
            )
        (folder / "done").touch()
    return read_definitions(sorted(folder.glob("*/*.yaml")))


def read_definitions(files: list[Path]) -> Schemas:
    """The schemas in files of CustomResourceDefinitions."""
    schemas: Schemas = {}
    for file in files:
        definition = yaml.load(file.read_text(), Loader=_LOADER)["spec"]  # noqa: S506 - safe
        for version in definition["versions"]:
            key = f"{definition['group']}/{version['name']}", definition["names"]["kind"]
            schemas[key] = strict(version["schema"]["openAPIV3Schema"], root=True)
    return schemas


def strict(schema: Any, *, root: bool = False) -> Any:
    """The same schema without room for names that it does not know: an API server drops those in
    silence, and then a setting does nothing."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: part if name in _CONDITIONS else strict(part) for name, part in schema.items()}
    if isinstance(properties := schema.get("properties"), dict):
        made["properties"] = {name: strict(part) for name, part in properties.items()}
        open_ended = schema.get("x-kubernetes-preserve-unknown-fields") or (
            "additionalProperties" in schema
        )
        if not open_ended:
            made["additionalProperties"] = False
    if root:
        made["properties"] = {**made["properties"], "metadata": {"type": "object"}}
    if schema.get("x-kubernetes-int-or-string"):
        made = {"anyOf": [{"type": "integer"}, {"type": "string"}]}
    if made.get("nullable") and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
    return made


def findings(rendered: Rendered, schemas: Schemas) -> tuple[list[str], list[str]]:
    """What is wrong with the custom resources that have a schema; and those that have none."""
    wrong: list[str] = []
    unknown: list[str] = []
    for found in rendered.objects:
        version = str(found.get("apiVersion", ""))
        if is_built_in(version):
            continue
        schema = schemas.get((version, str(found.get("kind", ""))))
        if schema is None:
            unknown.append(f"{version} {title(found)}")
            continue
        validator = jsonschema.Draft202012Validator(schema)
        wrong += [
            f"{title(found)}: {error.json_path}: {error.message[:300]}"
            for error in validator.iter_errors(found)
        ]
    return wrong, unknown


def is_built_in(version: str) -> bool:
    """Whether an apiVersion is of Kubernetes itself, whose schemas come with the validator."""
    group = version.rpartition("/")[0]
    return "." not in group or (group.endswith(".k8s.io") and group not in _CUSTOM_GROUPS)


_CUSTOM_GROUPS = (
    "gateway.networking.k8s.io",
    "snapshot.storage.k8s.io",
    "metrics.k8s.io",
    "autoscaling.k8s.io",
)
"""Under the name of Kubernetes, but installed like everybody's."""
