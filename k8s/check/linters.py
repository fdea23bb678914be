"""Programs with opinions on manifests. Each answers its findings, one line each.

A finding that we live with is suppressed where it is, with the reason beside it: the annotation
``checkov.io/skip1: CKV_K8S_43=reason`` or ``kube-score/ignore: name``; one that is nobody's
concern here is in ``checkov.yaml``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from k8s.check.rendering import Rendered
from k8s.check.tools import KUBE_SCORE, go_tool, python_tool, run

CHECKOV_SETTINGS = Path(__file__).with_name("checkov.yaml")
KUBERNETES_VERSION = "1.33"
"""The oldest that the manifests are written for; its schemas are used."""


def built_in_schemas(files: list[Path]) -> list[str]:
    """Kubernetes' own objects against Kubernetes' own schemas, no unknown field allowed."""
    output = run(
        [
            python_tool("kubernetes-validate"),
            *("--strict", "--no-warn", "--kubernetes-version", KUBERNETES_VERSION),
            *files,
        ],
        codes=(0, 1, 2),
        timeout_seconds=300,
    )
    if output.count("INFO") + output.count("ERROR") < len(files):
        raise ValueError(f"kubernetes-validate did not look at each file:\n{output[-1000:]}")
    return [line for line in output.splitlines() if line.startswith(("ERROR", "WARN"))]


def checkov(files: list[Path]) -> list[str]:
    """Security settings of pods, roles, networks."""
    output = run(
        [
            *(python_tool("checkov"), "--config-file", CHECKOV_SETTINGS, "--output", "json"),
            *(word for file in files for word in ("--file", str(file))),
        ],
        codes=(0, 1),
        timeout_seconds=300,
        # It must ask nobody for anything.
        environment={"CHECKOV_RUN_SCA_PACKAGE_SCAN_V2": "false", "LOG_LEVEL": "ERROR"},
    )
    return read_checkov(json.loads(output))


def read_checkov(report: Any) -> list[str]:
    """The failed checks of a report. Raises ValueError if nothing was looked at."""
    parts = report if isinstance(report, list) else [report]
    found: list[str] = []
    passed = 0
    for part in parts:
        passed += part.get("summary", part).get("passed", 0)
        found.extend(
            f"{check['check_id']} {check['resource']}: {check['check_name']}"
            for check in part.get("results", {}).get("failed_checks", [])
        )
    if not passed and not found:
        raise ValueError("checkov looked at nothing")
    return sorted(set(found))


def kube_score(rendered: Rendered) -> list[str]:
    """How workloads behave: probes, requests, budgets, spread."""
    if not any(found["kind"] in SCORED for found in rendered.objects):
        return []
    output = run(
        [
            *(go_tool(KUBE_SCORE), "score", "--output-format", "json"),
            *("--kubernetes-version", f"v{KUBERNETES_VERSION}", rendered.file),
        ],
        codes=(0, 1),
    )
    return read_kube_score(json.loads(output))


def read_kube_score(report: list[dict[str, Any]] | None) -> list[str]:
    """What is graded as critical or as a warning. Raises ValueError if nothing was looked at."""
    if not report:
        raise ValueError("kube-score looked at nothing")
    found: list[str] = []
    for scored in report:
        name = f"{scored['type_meta']['kind']}/{scored['object_meta']['name']}"
        for check in scored["checks"]:
            if check["skipped"] or check["grade"] > _WARNING:
                continue
            comments = [
                " ".join(filter(None, (comment["path"], comment["summary"])))
                for comment in check["comments"] or []
            ]
            found.append(f"{check['check']['id']} {name}: {'; '.join(comments)}")
    return sorted(set(found))


SCORED = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Service", "NetworkPolicy")
"""Of objects among which none of these is, kube-score says nothing at all."""
_WARNING = 5
"""kube-score's grades: 1 critical, 5 warning, 7 almost, 10 good."""
