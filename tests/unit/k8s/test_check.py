"""What ``make k8s-check`` makes of what its programs say: it must not take silence for praise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from k8s.check.custom import findings, strict
from k8s.check.linters import read_checkov, read_kube_score
from k8s.check.rendering import Rendered, overlays
from k8s.check.tools import CHECKOUT, ToolError
from k8s.check.typescript import read_findings


def _rendered(*objects: dict[str, Any]) -> Rendered:
    return Rendered(name="local", file=Path("local.yaml"), objects=list(objects))


def test_what_somebody_applies_is_looked_at() -> None:
    """Goal: every folder of a command in the documentation is checked; parts and the base, which
    nobody applies, are not."""
    found = {str(folder.relative_to(CHECKOUT / "k8s")) for folder in overlays(CHECKOUT)}
    for name in ("local", "staging", "production", "site-a", "site-b", "canary"):
        assert f"overlays/{name}" in found
    assert {"after", "engines", "engines/secrets", "engines/restore", "observability"} <= found
    assert not found & {"base", "base/wallet", "engines/valkey", "components/process"}


def test_compiler_findings_name_the_resource() -> None:
    """Goal: a line number becomes the resource of that line; the reasons below it are left out."""
    output = (
        "check-1.ts(2,228): error TS2322: Type 'string' is not assignable to type 'number'.\n"
        "  The expected type comes from property 'instances'\n"
    )
    assert read_findings(output, ["local: Cluster/a", "local: Cluster/b"]) == [
        "local: Cluster/b: TS2322: Type 'string' is not assignable to type 'number'."
    ]
    assert read_findings("", ["local: Cluster/a"]) == []


def test_compiler_that_fails_otherwise_is_no_clean_check() -> None:
    """Goal: a compiler that cannot read its input has found nothing out."""
    with pytest.raises(ToolError, match="TS6053"):
        read_findings("error TS6053: File 'check-1.ts' not found.", [])


def test_custom_resource_without_a_schema_is_a_finding() -> None:
    """Goal: a kind that nobody can check does not pass unseen; CloudNativePG's are the compiler's,
    and Kubernetes' own the validator's."""
    unknown = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "it"}}
    others = [
        {"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": {"name": "db"}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "wallet"}},
    ]
    found = findings(_rendered(unknown, *others), {})
    assert len(found) == 1
    assert found[0].startswith("Thing/it: ")


def test_field_that_the_schema_does_not_know_is_a_finding() -> None:
    """Goal: a misspelt name is found, which an API server would drop in silence."""
    schema = strict(
        {
            "type": "object",
            "properties": {
                "spec": {"type": "object", "properties": {"replicas": {"type": "integer"}}}
            },
        },
        root=True,
    )
    thing = {"metadata": {"name": "it", "labels": {"a": "b"}}, "spec": {"replica": 3}}
    found = findings(
        _rendered({"apiVersion": "example.com/v1", "kind": "Thing", **thing}),
        {("example.com/v1", "Thing"): {**schema, "additionalProperties": True}},
    )
    assert len(found) == 1
    assert "'replica'" in found[0]


@pytest.mark.parametrize("report", [[], {}, {"summary": {"passed": 0}}])
def test_checkov_that_looked_at_nothing_is_no_clean_check(report: object) -> None:
    """Goal: an empty report is a fault of the check."""
    with pytest.raises(ValueError, match="nothing"):
        read_checkov(report)


def test_kube_score_findings() -> None:
    """Goal: what is critical or a warning is told, with its reason; nothing else is."""

    def check(name: str, grade: int, *, skipped: bool = False) -> dict[str, Any]:
        comments = [{"path": "process", "summary": "no limit"}]
        return {"check": {"id": name}, "grade": grade, "skipped": skipped, "comments": comments}

    report = [
        {
            "type_meta": {"kind": "Deployment"},
            "object_meta": {"name": "wallet"},
            "checks": [check("a", 1), check("b", 5), check("c", 10), check("d", 1, skipped=True)],
        }
    ]
    assert read_kube_score(report) == [
        "a Deployment/wallet: process no limit",
        "b Deployment/wallet: process no limit",
    ]
    with pytest.raises(ValueError, match="nothing"):
        read_kube_score([])
