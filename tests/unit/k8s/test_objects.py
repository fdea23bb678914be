"""Objects of a rendered overlay fit each other."""

from __future__ import annotations

import functools
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from embedded.layout import Layout
from embedded.nats import PERMISSIONS, NatsUser, user_entry
from k8s.local_secrets import make_secrets
from ledger_svc.posting import POSTING
from payment_svc import queue
from tests.unit.k8s.manifests import (
    K8S,
    NAME,
    OVERLAYS,
    Objects,
    containers,
    labels_of,
    overlay,
    pod_of,
    render,
    selects,
    title,
)
from tests.unit.k8s.processes import main_container

CLUSTERS = tuple(name for name in OVERLAYS if name != "local")


@pytest.mark.parametrize("name", OVERLAYS)
def test_a_selector_picks_its_own_pods_and_no_others(name: str) -> None:
    """Two Deployments that pick the same pods fight over them."""
    workloads = [found for found in overlay(name).workloads() if found["kind"] != "Job"]
    for owner in workloads:
        picked = [
            title(other)
            for other in workloads
            if selects(owner["spec"]["selector"], labels_of(other))
        ]
        assert picked == [title(owner)]


@pytest.mark.parametrize("name", OVERLAYS)
def test_a_service_reaches_ports_that_exist(name: str) -> None:
    """Each picks pods of one process and one track, and a port that they have."""
    objects = overlay(name)
    for service in objects.of_kind("Service"):
        selector = dict(service["spec"]["selector"])
        selector.pop("apps.kubernetes.io/pod-index", None)  # Kubernetes sets it
        picked = [
            found for found in objects.workloads() if selector.items() <= labels_of(found).items()
        ]
        assert picked, title(service)
        assert len({labels_of(found)[NAME] for found in picked}) == 1
        assert len({labels_of(found).get("qrpay.io/track") for found in picked}) == 1
        for found in picked:
            ports = {port["name"] for port in main_container(found)["ports"]}
            for port in service["spec"]["ports"]:
                assert port["targetPort"] in ports, f"{title(service)}: {port}"


@pytest.mark.parametrize("name", OVERLAYS)
def test_what_a_pod_refers_to_exists(name: str) -> None:
    """ServiceAccount, PriorityClass, ConfigMap, Secret: a pod that lacks one stays pending."""
    objects = overlay(name)
    accounts, classes = objects.named("ServiceAccount"), objects.named("PriorityClass")
    maps, secrets = objects.named("ConfigMap"), _secrets(name, objects)
    for workload in objects.workloads():
        spec = pod_of(workload)["spec"]
        assert accounts[spec["serviceAccountName"]]["automountServiceAccountToken"] is False
        assert spec["priorityClassName"] in classes, title(workload)
        for container in containers(workload):
            for source in container.get("envFrom", []):
                assert source["configMapRef"]["name"] in maps, title(workload)
            mounted = {mount["name"] for mount in container.get("volumeMounts", [])}
            known = {volume["name"] for volume in spec["volumes"]}
            claims = workload["spec"].get("volumeClaimTemplates", [])
            assert mounted <= known | {claim["metadata"]["name"] for claim in claims}
        for volume in spec["volumes"]:
            if "configMap" in volume:
                assert volume["configMap"]["name"] in maps, title(workload)
            if "secret" in volume:
                assert volume["secret"]["secretName"] in secrets, f"{title(workload)}: {volume}"


@pytest.mark.parametrize("name", OVERLAYS)
def test_mounted_files_are_keys_of_their_secrets(name: str) -> None:
    """A _FILE variable names a key that the secret is made with."""
    objects = overlay(name)
    secrets = _secrets(name, objects)
    for workload in objects.workloads():
        volumes = {volume["name"]: volume for volume in pod_of(workload)["spec"]["volumes"]}
        for container in containers(workload):
            files = {
                Path(variable["value"])
                for variable in container.get("env", [])
                if variable["name"].endswith("_FILE") and "value" in variable
            }
            for mount in container["volumeMounts"]:
                volume = volumes.get(mount["name"], {})
                for file in files:
                    if "secret" in volume and str(file.parent) == mount["mountPath"]:
                        keys = secrets[volume["secret"]["secretName"]]
                        assert file.name in keys, f"{title(workload)}: {file}"


def _secrets(name: str, objects: Objects) -> dict[str, set[str]]:
    """The keys of every Secret that there will be, by its name."""
    if name == "local":
        return _local_secrets()
    found = {
        certificate["spec"]["secretName"]: {"tls.crt", "tls.key", "ca.crt"}
        for certificate in objects.of_kind("Certificate")
    }
    for external in render("engines/secrets").of_kind("ExternalSecret"):
        keys = {entry["secretKey"] for entry in external["spec"]["data"]}
        found[external["spec"]["target"]["name"]] = keys
    return found


@functools.cache
def _local_secrets() -> dict[str, set[str]]:
    with tempfile.TemporaryDirectory() as folder:
        made = make_secrets(Layout(Path(folder)), now=datetime(2026, 11, 1, tzinfo=UTC))
    return {name: set(content) for name, content in made.items()}


@pytest.mark.parametrize("name", CLUSTERS)
def test_databases_find_their_secrets(name: str) -> None:
    """A database's owner, its service's role, its certificate and its bucket come from secrets."""
    objects = overlay(name)
    secrets = _secrets(name, objects)
    clusters = objects.named("Cluster")
    assert set(clusters) == {
        f"{service}-db" for service in ("wallet", "payment", "ledger", "barcode")
    }
    for cluster in clusters.values():
        spec = cluster["spec"]
        owner = spec["bootstrap"]["initdb"]
        assert owner["owner"] == f"{owner['database']}_owner"
        [role] = spec["managed"]["roles"]
        assert role["name"] == f"{owner['database']}_svc"
        for secret in (owner["secret"]["name"], role["passwordSecret"]["name"]):
            assert secrets[secret] == {"username", "password"}
        assert spec["certificates"]["serverTLSSecret"] in secrets
        assert spec["postgresql"]["synchronous"] == {
            "method": "any",
            "number": 1,
            "dataDurability": "required",
            "failoverQuorum": True,
        }
        assert spec["affinity"]["nodeSelector"] == {"qrpay.io/capacity": "on-demand"}
        [plugin] = spec["plugins"]
        assert plugin["parameters"]["barmanObjectName"] in objects.named("ObjectStore")
    backups = objects.of_kind("ScheduledBackup")
    assert {backup["spec"]["cluster"]["name"] for backup in backups} == set(clusters)
    places = {
        store["spec"]["configuration"]["destinationPath"]
        for store in objects.of_kind("ObjectStore")
    }
    assert len(places) == 4
    assert "backup-bucket" in secrets


@pytest.mark.parametrize("name", OVERLAYS)
def test_disruption_budgets_let_nodes_be_drained(name: str) -> None:
    """Each picks the pods of exactly one workload, and one may always go."""
    objects = overlay(name)
    workloads = [found for found in objects.workloads() if found["kind"] != "Job"]
    covered = []
    for budget in objects.of_kind("PodDisruptionBudget"):
        spec = budget["spec"]
        picked = [found for found in workloads if selects(spec["selector"], labels_of(found))]
        assert [found["metadata"]["name"] for found in picked] == [budget["metadata"]["name"]]
        assert spec["maxUnavailable"] == 1
        assert "minAvailable" not in spec
        assert spec["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
        covered += picked
    for deployment in objects.of_kind("Deployment"):
        assert deployment in covered, title(deployment)


@pytest.mark.parametrize("name", CLUSTERS)
def test_autoscalers_scale_what_exists(name: str) -> None:
    """Every Deployment has one, and says no number of its own that would fight it."""
    objects = overlay(name)
    deployments = objects.named("Deployment")
    for scaler in objects.of_kind("HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        assert target["kind"] == "Deployment"
        deployment = deployments.pop(target["name"])
        assert "replicas" not in deployment["spec"]
        assert scaler["spec"]["minReplicas"] <= scaler["spec"]["maxReplicas"]
        if labels_of(deployment)["qrpay.io/pool"] != "spot":
            assert scaler["spec"]["minReplicas"] >= 2
    assert not deployments


def test_autoscalers_ask_for_consumers_that_exist() -> None:
    """The selector is a consumer that its process has, and the adapter gives the metric's name."""
    consumers = {queue.EXECUTOR.name, queue.RESULTS.name, queue.FILING.name, POSTING.name}
    consumers.add(queue.CANARY_EXECUTOR.name)
    adapter = yaml.safe_load((K8S / "engines/prometheus-adapter/values.yaml").read_text())
    [rule] = adapter["rules"]["external"]
    asked = set()
    for scaler in overlay("canary").of_kind("HorizontalPodAutoscaler"):
        for metric in scaler["spec"]["metrics"]:
            if metric["type"] == "External":
                wanted = metric["external"]["metric"]
                assert wanted["name"] == rule["name"]["as"]
                asked |= set(wanted["selector"]["matchLabels"].values())
    assert asked == consumers


@pytest.mark.parametrize("name", CLUSTERS)
def test_zones(name: str) -> None:
    """Losing a zone takes a third of each process: spread over zones is a condition, not a wish."""
    for deployment in overlay(name).of_kind("Deployment"):
        rules = {
            rule["topologyKey"]: rule
            for rule in pod_of(deployment)["spec"]["topologySpreadConstraints"]
        }
        zone = rules["topology.kubernetes.io/zone"]
        assert zone["whenUnsatisfiable"] == "DoNotSchedule"
        assert zone["maxSkew"] == 1
        assert zone["matchLabelKeys"] == ["pod-template-hash"]
        assert "kubernetes.io/hostname" in rules
        for rule in rules.values():
            assert selects(rule["labelSelector"], labels_of(deployment)), title(deployment)
            assert rule["labelSelector"]["matchLabels"][NAME] == labels_of(deployment)[NAME]


@pytest.mark.parametrize("name", ["production", "site-a", "site-b", "canary"])
def test_never_more_than_half_on_spot(name: str) -> None:
    """Machines that may be taken away carry at most as many pods of a process as others at least,
    also during a roll-out, and none of what keeps something or works off a queue."""
    objects = overlay(name)
    scalers = {
        found["spec"]["scaleTargetRef"]["name"]: found["spec"]
        for found in objects.of_kind("HorizontalPodAutoscaler")
    }
    spots = set()
    for workload in objects.workloads():
        spec, process = pod_of(workload)["spec"], workload["metadata"]["name"]
        if labels_of(workload).get("qrpay.io/pool") == "spot":
            twin = process.removesuffix("-spot")
            assert scalers[process]["maxReplicas"] <= scalers[twin]["minReplicas"]
            assert workload["spec"]["strategy"]["rollingUpdate"]["maxSurge"] == 0
            assert spec["nodeSelector"] == {"qrpay.io/capacity": "spot"}
            spots.add(twin)
        else:
            assert "tolerations" not in spec, process
            if workload["kind"] != "Job":
                assert spec["nodeSelector"] == {"qrpay.io/capacity": "on-demand"}, process
    assert spots == {"gateway", "payment-api", "wallet", "barcode"}


@pytest.mark.parametrize("name", OVERLAYS)
def test_pods_may_do_little(name: str) -> None:
    """What the `restricted` standard demands, and a root file system that cannot be written."""
    for workload in overlay(name).workloads():
        spec = pod_of(workload)["spec"]
        security = spec["securityContext"]
        assert security["runAsNonRoot"] is True
        assert security["runAsUser"] >= 10_000
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        for container in containers(workload):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            resources = container["resources"]
            for amount in ("memory", "ephemeral-storage"):
                assert resources["requests"][amount] == resources["limits"][amount]


def test_canary_runs_the_candidate_beside_production() -> None:
    """Only the pilot has the candidate's image, and only its names lead to it."""
    objects, before = overlay("canary"), overlay("production")
    tags = {
        found["metadata"]["name"]: main_container(found)["image"].rpartition(":")[2]
        for found in objects.of_kind("Deployment")
    }
    candidates = {name for name in tags if name.endswith("-canary")}
    assert candidates == {"payment-api-canary", "payment-executor-canary"}
    stable = {tags[name] for name in set(tags) - candidates}
    assert len(stable) == 1
    assert {tags[name] for name in candidates} & stable == set()
    added = set(objects.named("Deployment")) - set(before.named("Deployment"))
    assert added == candidates
    service = objects.named("Service")["payment-api-canary"]
    assert service["spec"]["selector"]["qrpay.io/track"] == "canary"
    targets = [
        found["data"]["CANARY_PAYMENT_TARGET"]
        for found in objects.of_kind("ConfigMap")
        if "CANARY_PAYMENT_TARGET" in found.get("data", {})
    ]
    assert targets == ["dns:///payment-api-canary:7000"]


def test_nats_users_are_those_of_the_code() -> None:
    """The chart's values allow each service exactly what embedded/nats.py does."""
    values = yaml.safe_load((K8S / "engines/nats/values.yaml").read_text())
    assert values["config"]["jetstream"]["merge"]["sync_interval"] == "always"
    users = {user["user"]: user for user in values["config"]["merge"]["authorization"]["users"]}
    assert set(users) == {"admin", *PERMISSIONS}
    for name, permissions in PERMISSIONS.items():
        wanted = user_entry(NatsUser(name=name, password="", permissions=permissions))
        assert users[name]["permissions"] == wanted["permissions"]
    names = {
        entry["valueFrom"]["secretKeyRef"]["key"] for entry in values["container"]["env"].values()
    }
    assert names == set(users)


def test_namespace_is_restricted() -> None:
    """Pod Security refuses a pod that wants more."""
    for name in OVERLAYS:
        [namespace] = overlay(name).of_kind("Namespace")
        assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
