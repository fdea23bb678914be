"""A container of a manifest as the process that would run: its settings class and environment."""

from __future__ import annotations

import importlib
from typing import Any

import msgspec

from chassis.process import MigrationSettings, WaitingSettings
from chassis.settings import ProcessSettings
from tests.unit.k8s.manifests import Object, Objects, pod_of

SETTINGS = {
    "gateway": ("gateway.settings", "GatewaySettings"),
    "wallet_svc": ("wallet_svc.settings", "WalletSettings"),
    "payment_svc": ("payment_svc.settings", "PaymentSettings"),
    "ledger_svc": ("ledger_svc.settings", "LedgerSettings"),
    "barcode_svc": ("barcode_svc.settings", "BarcodeSettings"),
}


def module_of(container: Object) -> str:
    """What `python -m` runs in it."""
    python, option, module = container["args"][:3]
    assert (python, option) == ("python", "-m")
    return str(module)


def settings_class(container: Object) -> type[msgspec.Struct]:
    """The class that the process reads its environment with."""
    rest = container["args"][3:]
    if "migrate" in rest:
        return WaitingSettings if "--wait" in rest else MigrationSettings
    module, name = SETTINGS[module_of(container)]
    found: type[msgspec.Struct] = getattr(importlib.import_module(module), name)
    assert issubclass(found, ProcessSettings)
    return found


def environment(container: Object, workload: Object, objects: Objects) -> dict[str, str]:
    """Its variables with their values, from ConfigMaps and labels too."""
    maps = objects.named("ConfigMap")
    found: dict[str, str] = {}
    for source in container.get("envFrom", []):
        found |= maps[source["configMapRef"]["name"]].get("data", {})
    for variable in container.get("env", []):
        found[variable["name"]] = variable.get("value") or _from_label(variable, workload)
    return found


def _from_label(variable: Object, workload: Object) -> str:
    path = variable["valueFrom"]["fieldRef"]["fieldPath"]
    label = path.removeprefix("metadata.labels['").removesuffix("']")
    return str(pod_of(workload)["metadata"]["labels"][label])


def is_ours(container: Object) -> bool:
    """Whether it runs the image of this repository."""
    return str(container["image"]).startswith("ghcr.io/qrpay/qrpay")


def our_containers(objects: Objects) -> list[tuple[Object, Object]]:
    """Every container of our image, with its workload."""
    return [
        (container, workload)
        for workload in objects.workloads()
        for key in ("initContainers", "containers")
        for container in pod_of(workload)["spec"].get(key, [])
        if is_ours(container)
    ]


def main_container(workload: Object) -> Any:
    """The one that is no init container."""
    [container] = pod_of(workload)["spec"]["containers"]
    return container
