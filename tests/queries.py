"""Every PromQL expression of dashboards and rules, and the metrics that it names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from k8s.observability.generate import DASHBOARDS, RULES

OURS = re.compile(
    r"\b(?:qrpay_|qrpay:|rpc_|http_server_|db_client_|messaging_|process_)[a-z0-9_:]+\b|\bup\b"
)
_LABELS = re.compile(r"\{[^{}]*\}|\b(?:by|without|on|ignoring)\s*\([^()]*\)|\"[^\"]*\"")
_VARIABLES = {
    "$__rate_interval": "1m",
    "$__interval": "15s",
    "$__range": "1h",
    "$job": ".+",
}


def groups() -> list[dict[str, Any]]:
    """The groups of the manifest."""
    found: list[dict[str, Any]] = yaml.safe_load(RULES.read_text(encoding="utf-8"))["spec"][
        "groups"
    ]
    return found


def rules() -> list[dict[str, Any]]:
    """All of its rules."""
    return [rule for group in groups() for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    """Those that call somebody."""
    return [rule for rule in rules() if "alert" in rule]


def dashboards() -> dict[str, dict[str, Any]]:
    """The documents that Grafana imports, by name."""
    return {path.stem: json.loads(path.read_text("utf-8")) for path in DASHBOARDS.glob("*.json")}


def panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    """The panels of a dashboard, without the headings of rows."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[tuple[str, str]]:
    """Where each expression is, and it itself as Grafana would send it."""
    for rule in rules():
        yield f"rule {rule.get('alert') or rule['record']}", rule["expr"]
    for name, dashboard in dashboards().items():
        for annotation in dashboard["annotations"]["list"]:
            yield f"{name}: annotation {annotation['name']}", annotation["expr"]
        for panel in panels(dashboard):
            for target in panel["targets"]:
                yield f"{name}: {panel['title']}", with_values(target["expr"])
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                found = re.fullmatch(r"label_values\((.+), [a-z_]+\)", variable["definition"])
                assert found, variable["definition"]
                yield f"{name}: variable {variable['name']}", found[1]


def with_values(expr: str) -> str:
    """An expression with Grafana's variables replaced."""
    for name, value in _VARIABLES.items():
        expr = expr.replace(name, value)
    return expr


def metrics_of(expr: str) -> set[str]:
    """The names of metrics in an expression, those of labels left out."""
    while (shorter := _LABELS.sub("", expr)) != expr:
        expr = shorter
    return set(OURS.findall(expr))


def labels_of(expr: str) -> set[str]:
    """The labels that an expression names in its selectors and after `by`."""
    grouped = ",".join(re.findall(r"\bby \(([^)]*)\)", expr)).split(",")
    selectors = re.findall(r"\{([^{}]*)\}", expr)
    chosen = [name for text in selectors for name in re.findall(r"([a-z_]+)\s*(?:=|!)[=~]?", text)]
    return {name.strip() for name in (*grouped, *chosen)} - {""}
