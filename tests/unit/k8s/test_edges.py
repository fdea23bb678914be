"""Network policies allow what the code needs, and nothing else."""

from __future__ import annotations

import functools
import re

import pytest

from tests.unit.k8s.edges import Edge, allowed_edges, half_edges, listening, nodes, outside_edges
from tests.unit.k8s.manifests import CHECKOUT, NAME, OVERLAYS, Objects, labels_of, overlay
from tests.unit.k8s.processes import environment, main_container, module_of

_DOCUMENT = CHECKOUT / "docs" / "kubernetes.md"
_ROW = re.compile(r"^\| `([^`]+)` \| `([^`]+)` \| ([0-9, ]+) \|", re.MULTILINE)

_UNUSED = {
    ("payment-executor", "BARCODE_TARGET"),
    ("payment-results", "BARCODE_TARGET"),
    ("payment-results", "WALLET_TARGET"),
    ("payment-sweeper", "BARCODE_TARGET"),
    ("payment-sweeper", "WALLET_TARGET"),
    ("ledger", "PAYMENT_TARGET"),
    ("ledger", "WALLET_TARGET"),
}
"""Settings that every role of a service must be given, and that this role never calls: read in
payment_svc/__main__.py and ledger_svc/wiring.py."""


@functools.cache
def _allowed(name: str) -> set[Edge]:
    return allowed_edges(overlay(name))


def _table(heading: str) -> set[Edge]:
    text = _DOCUMENT.read_text()
    assert f"### {heading}\n" in text
    section = text.split(f"### {heading}\n")[1].split("\n#")[0]
    return {
        (source, target, int(port))
        for source, target, ports in _ROW.findall(section)
        for port in ports.split(",")
    }


@pytest.mark.parametrize("name", OVERLAYS)
def test_edges_are_those_of_the_table(name: str) -> None:
    """What the policies of an overlay allow is the table in docs/kubernetes.md, to the port.

    Engines' copies of themselves are not of it, nor is one machine's lack of them.
    """
    found = {edge for edge in _allowed(name) if edge[0] not in _engines(name)}
    assert found == _table("Inside")


def _engines(name: str) -> set[str]:
    engines = nodes(overlay(name))
    return {node for node in engines if node.endswith(" database") or node in ("nats", "valkey")}


@pytest.mark.parametrize("name", OVERLAYS)
def test_engines_talk_to_their_own_copies_only(name: str) -> None:
    """A database reaches neither a process nor another service's database."""
    engines = _engines(name)
    for source, target, _ in _allowed(name):
        if source in engines:
            assert target == source


@pytest.mark.parametrize("name", OVERLAYS)
def test_both_sides_say_the_same(name: str) -> None:
    """A rule that only one side has opens nothing today, and something tomorrow."""
    going, coming = half_edges(overlay(name))
    assert going == coming


@pytest.mark.parametrize("name", OVERLAYS)
def test_whoever_is_not_named_is_denied(name: str) -> None:
    """A pod without a policy of its own reaches nobody and is reached by nobody."""
    denies = overlay(name).named("NetworkPolicy")["default-deny"]["spec"]
    assert denies == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_ways_out_and_in_are_those_of_the_table() -> None:
    """What crosses the namespace's border is listed, too. Every pod asks for names, and our own are
    read by Prometheus and send traces: that is not a row for each."""
    common = {
        ("to metadata.name=kube-system", 53),
        ("from observability=true", 9090),
        ("to observability=true", 4317),
    }
    found = {
        edge for edge in outside_edges(overlay("production")) if (edge[1], edge[2]) not in common
    }
    assert found == _table("Across the border")


def _wanted(objects: Objects) -> set[Edge]:
    """Edges that processes need, from the settings they are given."""
    services = {
        name: service["spec"]["selector"][NAME]
        for name, service in objects.named("Service").items()
    }
    edges: set[Edge] = set()
    for workload in objects.of_kind("Deployment", "Job"):
        container, source = main_container(workload), labels_of(workload)[NAME]
        told = environment(container, workload, objects)
        for variable, value in told.items():
            if not variable.endswith("_TARGET") or (source, variable) in _UNUSED:
                continue
            host, port = value.removeprefix("dns:///").split(":")
            edges.add((source, services[host], int(port)))
        service = module_of(container).removesuffix("_svc")
        if {"DATABASE_URL_FILE", "MIGRATION_DATABASE_URL_FILE"} & told.keys():
            edges.add((source, f"{service} database", 5432))
        if "NATS_URL_FILE" in told:
            edges.add((source, "nats", 4222))
        if "VALKEY_URL_FILE" in told:
            edges.add((source, "valkey", 6379))
    return edges


@pytest.mark.parametrize("name", OVERLAYS)
def test_what_code_needs_is_allowed_and_nothing_else(name: str) -> None:
    """Targets and URLs among the settings of each process are its edges, exactly."""
    objects = overlay(name)
    found = {edge for edge in _allowed(name) if edge[0] not in _engines(name)}
    assert found == _wanted(objects)


@pytest.mark.parametrize("name", OVERLAYS)
def test_allowed_ports_are_listened_at(name: str) -> None:
    """An edge to a port where nobody listens is a mistake."""
    objects = overlay(name)
    listens: dict[str, set[int]] = {}
    for deployment in objects.of_kind("Deployment"):
        listens.setdefault(labels_of(deployment)[NAME], set()).update(listening(deployment))
    for _, target, port in _allowed(name):
        assert target not in listens or port in listens[target]


def test_unused_targets_are_settings_that_are_given() -> None:
    """A line of the list above that no longer fits is removed."""
    objects = overlay("production")
    given = {
        (labels_of(deployment)[NAME], variable)
        for deployment in objects.of_kind("Deployment")
        for variable in environment(main_container(deployment), deployment, objects)
    }
    assert given >= _UNUSED
