"""The rules for Prometheus: complete, true to what they are made from, and tried by promtool."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from k8s.observability.generate import HERE, PLAIN_RULES, ROOT, RULES, plain_rules
from tests.installed import installed
from tests.queries import alerts, groups, metrics_of, rules

RUNBOOK = "docs/runbook.md"
TESTS = sorted((HERE / "tests").glob("*.yaml"))
FAST_WINDOWS = {("1h", "5m", "14.4"), ("6h", "30m", "6")}
SLOW_WINDOWS = {("1d", "2h", "3"), ("3d", "6h", "1")}


def anchors(text: str) -> set[str]:
    """What the headings of a Markdown document can be linked as, after GitHub's rule."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_alert_says_what_to_do() -> None:
    """Goal: who is called reads plain sentences and finds a section of the runbook that exists."""
    known = anchors((ROOT / RUNBOOK).read_text(encoding="utf-8"))
    assert len(alerts()) > 20
    for alert in alerts():
        name, annotations = alert["alert"], alert["annotations"]
        assert re.fullmatch(r"Qrpay([A-Z][a-z]+)+", name)
        assert alert["labels"]["severity"] in {"page", "ticket"}, name
        assert set(annotations) == {"summary", "description", "runbook_url"}, name
        assert len(annotations["summary"]) < 110, name
        assert annotations["description"].endswith("."), name
        file, _, anchor = annotations["runbook_url"].partition("#")
        assert file == RUNBOOK, name
        assert anchor in known, f"{name}: the runbook has no {anchor}"
    names = [alert["alert"] for alert in alerts()]
    assert len(set(names)) == len(names)


def test_the_runbook_names_its_alerts() -> None:
    """Goal: from an alert's name in a message one finds the section, and no section names an alert
    that is gone."""
    text = (ROOT / RUNBOOK).read_text(encoding="utf-8")
    sections = {
        anchor: section
        for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]
        for anchor in anchors(f"## {section.splitlines()[0]}")
    }
    for alert in alerts():
        anchor = alert["annotations"]["runbook_url"].partition("#")[2]
        assert f"`{alert['alert']}`" in sections[anchor], f"{alert['alert']} in {anchor}"
    named = set(re.findall(r"`(Qrpay[A-Za-z]+)`", text))
    assert named == {alert["alert"] for alert in alerts()}


def test_the_promises_are_watched_over_several_windows() -> None:
    """Goal: each promise has a fast and a slow alert with the windows of the SRE workbook."""
    by_name = {alert["alert"]: alert["expr"] for alert in alerts()}
    window = r'ratio_(\w+)\{slo="(\w+)"\} > ([0-9.]+) and qrpay:slo_burn:ratio_(\w+)\{'
    for name, slo in (("Unanswered", "answered"), ("Late", "done")):
        for speed, wanted in (("Fast", FAST_WINDOWS), ("Slow", SLOW_WINDOWS)):
            found = re.findall(window, by_name[f"QrpayPayments{name}{speed}"])
            assert {(long, short, factor) for long, _, factor, short in found} == wanted
            assert {of for _, of, _, _ in found} == {slo}


def test_what_is_zero_when_all_is_well_is_missed_when_it_is_gone() -> None:
    """Goal: an alert that waits for more than 0 is silent also if nobody tells; another is not."""
    missed = next(alert for alert in alerts() if alert["alert"] == "QrpayNumberMissing")
    gauges = {
        metric
        for group in groups()
        if group["name"] == "qrpay-money"
        for rule in group["rules"]
        for metric in metrics_of(rule["expr"])
    }
    assert gauges <= metrics_of(missed["expr"])
    assert {"qrpay_dead_letters_open", "qrpay_queue_oldest_age_seconds"} <= metrics_of(
        missed["expr"]
    )


def test_the_rules_without_their_wrapper_are_the_same() -> None:
    """Goal: `qrpay up --observe` and promtool see what Kubernetes sees."""
    assert PLAIN_RULES.read_text("utf-8") == plain_rules(RULES.read_text("utf-8"))
    assert yaml.safe_load(PLAIN_RULES.read_text("utf-8")) == {"groups": groups()}


def test_every_alert_is_tried() -> None:
    """Goal: the tests of promtool make each alert fire, and are silent about each as well."""
    for rule in alerts():
        pattern = re.compile(rf'alertname(?:=|: ){rule["alert"]}|"{rule["alert"]}"')
        named = [path.name for path in TESTS if pattern.search(path.read_text("utf-8"))]
        assert named, f"no test in k8s/observability/tests expects {rule['alert']}"


def test_promtool_accepts_the_rules() -> None:
    """Goal: every expression and every template parses."""
    checked = promtool("check", "rules", str(PLAIN_RULES))
    assert f"{len(rules())} rules found" in checked


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_promtool_fires_the_alerts(path: Path) -> None:
    """Goal: alerts fire when they should, and only then."""
    assert "SUCCESS" in promtool("test", "rules", path.name)


def promtool(*arguments: str) -> str:
    """What promtool says."""
    done = subprocess.run(
        [installed("promtool"), *arguments],
        cwd=HERE / "tests",
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said
