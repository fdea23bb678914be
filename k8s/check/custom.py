"""Custom resources against the definitions that their projects ship in their Go modules.

What cannot be checked here are the CEL rules in them, which only an API server evaluates.
CloudNativePG's own resources are the compiler's, in typescript.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import yaml

from k8s.check.rendering import Rendered, title
from k8s.check.tools import ToolError, python_tool, run
from k8s.check.typescript import GROUP as TYPESCRIPT_GROUP


class Module(msgspec.Struct, frozen=True):
    """A Go module with ready definitions in it."""

    path: str
    version: str
    hash: str
    """As go.sum would have it."""
    definitions: tuple[str, ...]
    """Files of the module."""


MODULES = (
    Module(
        "github.com/cert-manager/cert-manager",
        "v1.19.1",
        "h1:Txh8L/nLWTDcb7ZnXuXbTe15BxQnLbLirXmbNk0fGgY=",
        (
            "deploy/crds/cert-manager.io_certificates.yaml",
            "deploy/crds/cert-manager.io_issuers.yaml",
        ),
    ),
    Module(
        "github.com/cloudnative-pg/plugin-barman-cloud",
        "v0.15.0",
        "h1:gNVytrzzYUE08wxLDrjfJqy1FPPSFkMe1OEr4s4pVI0=",
        ("config/crd/bases/barmancloud.cnpg.io_objectstores.yaml",),
    ),
    Module(
        "github.com/external-secrets/external-secrets",
        "v1.3.2",
        "h1:u2J8RjlHIeF0oZCqtl92adI/uZWUwOesJIDkfql6LqQ=",
        ("config/crds/bases/external-secrets.io_externalsecrets.yaml",),
    ),
    Module(
        "github.com/prometheus-operator/prometheus-operator",
        "v0.92.1",
        "h1:rHWuFo6SVya4FBSCNg2DCzyc4xAv54zk3eDTzp5mQZc=",
        (
            "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
            "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
        ),
    ),
)

_CONDITIONS = ("allOf", "anyOf", "oneOf", "not", "enum", "default", "required")
"""What says something about fields that are declared elsewhere."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""These files are megabytes: libyaml's loader where there is one."""

Schemas = dict[tuple[str, str], dict[str, Any]]
"""By apiVersion and kind."""


def custom_schemas() -> Schemas:
    """All schemas that there are."""
    return read_definitions([file for module in MODULES for file in definitions(module)])


def definitions(module: Module) -> list[Path]:
    """The files of a module. Raises ToolError if it is not the module that was looked at."""
    name = f"{module.path}@{module.version}"
    answer = json.loads(
        run([python_tool("go"), "mod", "download", "-json", name], timeout_seconds=300)
    )
    if answer["Sum"] != module.hash:
        raise ToolError(f"{name} has the hash {answer['Sum']} and not {module.hash}")
    return [Path(answer["Dir"], file) for file in module.definitions]


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


def findings(rendered: Rendered, schemas: Schemas) -> list[str]:
    """What is wrong with the custom resources; one without a schema is wrong too."""
    wrong: list[str] = []
    for found in rendered.objects:
        version = str(found.get("apiVersion", ""))
        if is_built_in(version) or version.startswith(f"{TYPESCRIPT_GROUP}/"):
            continue
        schema = schemas.get((version, str(found.get("kind", ""))))
        if schema is None:
            wrong.append(f"{title(found)}: no module of k8s/check/custom.py has {version}")
            continue
        validator = jsonschema.Draft202012Validator(schema)
        wrong += [
            f"{title(found)}: {error.json_path}: {error.message[:300]}"
            for error in validator.iter_errors(found)
        ]
    return wrong


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
