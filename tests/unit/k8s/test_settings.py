"""Manifests and settings agree: what a pod is told is what its process can be told."""

from __future__ import annotations

import importlib.util
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from chassis.settings import load_settings
from embedded.layout import Layout
from k8s.local_secrets import make_secrets
from tests.unit.k8s.manifests import OVERLAYS, Object, Objects, overlay, pod_of, render, title
from tests.unit.k8s.processes import (
    environment,
    main_container,
    module_of,
    our_containers,
    settings_class,
)


def _variables(settings: type[msgspec.Struct]) -> set[str]:
    names = {field.name.upper() for field in msgspec.structs.fields(settings)}
    return names | {f"{name}_FILE" for name in names}


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_variable_is_a_setting_of_its_process(name: str) -> None:
    """A misspelt variable would be ignored without a word."""
    objects = overlay(name)
    for container, workload in our_containers(objects):
        known = _variables(settings_class(container))
        unknown = set(environment(container, workload, objects)) - known
        assert not unknown, f"{title(workload)}: {container['name']} knows no {unknown}"


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_required_setting_is_given(name: str) -> None:
    """A process that lacks one does not start."""
    objects = overlay(name)
    for container, workload in our_containers(objects):
        given = set(environment(container, workload, objects))
        for field in msgspec.structs.fields(settings_class(container)):
            variable = field.name.upper()
            if field.required:
                assert {variable, f"{variable}_FILE"} & given, f"{title(workload)}: {variable}"


@pytest.mark.parametrize("name", OVERLAYS)
def test_what_is_run_exists(name: str) -> None:
    """`python -m` of a module that is not there fails only in the cluster."""
    for container, workload in our_containers(overlay(name)):
        module = module_of(container)
        assert importlib.util.find_spec(f"{module}.__main__"), f"{title(workload)}: {module}"


@pytest.mark.parametrize("name", OVERLAYS)
def test_listening_ports_are_container_ports(name: str) -> None:
    """A probe, a service or Prometheus goes by the port that the manifest has."""
    objects = overlay(name)
    for deployment in objects.of_kind("Deployment"):
        container = main_container(deployment)
        told = environment(container, deployment, objects)
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        variables = {
            "grpc": "GRPC_LISTEN",
            "http": "HTTP_LISTEN",
            "probe": "PROBE_LISTEN",
            "admin": "ADMIN_LISTEN",
        }
        for port, number in ports.items():
            assert told[variables[port]] == f"0.0.0.0:{number}", f"{title(deployment)}: {port}"
        for variable in set(variables.values()) & set(told):
            assert variables.keys() & ports.keys(), f"{title(deployment)}: {variable}"
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert container[probe]["grpc"]["port"] == ports["probe"]
            assert container[probe]["grpc"]["service"] == probe.removesuffix("Probe")


@pytest.mark.parametrize("name", OVERLAYS)
def test_a_database_url_is_of_the_process_itself(name: str) -> None:
    """No process has another service's database, and only a migration has the owner's password."""
    objects = overlay(name)
    for container, workload in our_containers(objects):
        service = module_of(container).removesuffix("_svc")
        volumes = {volume["name"]: volume for volume in pod_of(workload)["spec"]["volumes"]}
        for variable, value in environment(container, workload, objects).items():
            if "DATABASE_URL" not in variable:
                continue
            assert variable.endswith("_FILE"), f"{title(workload)}: a password in a variable"
            secret = _secret_of(value, container, volumes)
            kind = "owner" if workload["kind"] == "Job" else "secrets"
            assert secret == f"{service}-{kind}", f"{title(workload)}: {variable} is of {secret}"


def _secret_of(path: str, container: Object, volumes: dict[str, Object]) -> str:
    for mount in container["volumeMounts"]:
        if path.startswith(mount["mountPath"] + "/"):
            return str(volumes[mount["name"]]["secret"]["secretName"])
    raise AssertionError(f"{path} is not mounted")


def test_local_secrets_start_every_process(tmp_path: Path) -> None:
    """With the secrets that are made for one machine, each process reads its settings without a
    fault: files are there, keys are long enough, values are of their types."""
    secrets = make_secrets(Layout(tmp_path / "data"), now=datetime(2026, 11, 1, tzinfo=UTC))
    objects = overlay("local")
    for container, workload in our_containers(objects):
        told = environment(container, workload, objects)
        volumes = {volume["name"]: volume for volume in pod_of(workload)["spec"]["volumes"]}
        for variable, value in told.items():
            if variable.endswith("_FILE"):
                secret = _secret_of(value, container, volumes)
                file = tmp_path / secret / Path(value).name
                file.parent.mkdir(exist_ok=True)
                file.write_text(secrets[secret][file.name])
                told[variable] = str(file)
        load_settings(settings_class(container), told)


def test_local_secrets_are_remembered(tmp_path: Path) -> None:
    """Applying them a second time changes no password of a database that exists."""
    layout, now = Layout(tmp_path), datetime(2026, 11, 1, tzinfo=UTC)
    assert make_secrets(layout, now=now) == make_secrets(layout, now=now)


@pytest.mark.parametrize("name", OVERLAYS)
def test_time_for_an_orderly_end(name: str) -> None:
    """Kubernetes waits until a process has drained: preStop, delay, drain, then its transactions,
    8 s at most (chassis/database.py)."""
    objects = overlay(name)
    for deployment in objects.of_kind("Deployment"):
        container = main_container(deployment)
        told = environment(container, deployment, objects)
        needed = (
            container["lifecycle"]["preStop"]["sleep"]["seconds"]
            + float(told["DRAIN_DELAY_SECONDS"])
            + float(told["DRAIN_SECONDS"])
            + 8
        )
        assert pod_of(deployment)["spec"]["terminationGracePeriodSeconds"] > needed


def test_migrations_of_each_release_are_jobs_of_their_own() -> None:
    """A Job cannot be changed: one apply must bring a new one with each release."""
    for folder in ("overlays/production", "after"):
        jobs = render(folder).of_kind("Job")
        assert len(jobs) == 4
        for job in jobs:
            tag = main_container(job)["image"].rpartition(":")[2]
            assert job["metadata"]["name"].endswith(f"-{tag}")
            assert job["metadata"]["labels"]["app.kubernetes.io/version"] == tag


def _phases(objects: Objects) -> set[str]:
    return {main_container(job)["args"][-1] for job in objects.of_kind("Job")}


def test_migrations_after_the_rollout_are_not_applied_with_it() -> None:
    """Phase post breaks code that still runs: no overlay has it."""
    assert _phases(render("after")) == {"post"}
    for name in OVERLAYS:
        assert _phases(overlay(name)) == {"pre"}
