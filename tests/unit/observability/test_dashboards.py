"""The dashboards: up to date, and of the form that Grafana imports."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from k8s.observability.document import GRID_COLUMNS, SCHEMA_VERSION
from k8s.observability.generate import HERE, ROOT, stale
from tests.queries import dashboards, expressions, panels

OPTIONS = {
    "stat": {
        *("colorMode", "graphMode", "justifyMode", "orientation", "reduceOptions", "textMode"),
    },
    "timeseries": {"legend", "tooltip"},
    "bargauge": {
        *("displayMode", "minVizHeight", "orientation", "reduceOptions", "showUnfilled"),
        "valueMode",
    },
    "heatmap": {
        *("calculate", "cellGap", "color", "exemplars", "filterValues", "legend", "rowsFrame"),
        *("tooltip", "yAxis"),
    },
    "state-timeline": {
        *("alignValue", "legend", "mergeValues", "rowHeight", "showValue", "tooltip"),
    },
}
"""The fields of `options` by kind of panel, after Grafana's schema of each panel."""
UNITS = {"short", "s", "reqps", "percentunit", "bytes", "suffix: x"}
PAGES = dashboards()


@pytest.fixture(params=sorted(PAGES))
def page(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Each dashboard."""
    return PAGES[request.param]


def test_everything_is_made_anew() -> None:
    """Goal: what is committed is what the source makes, and nothing besides."""
    assert [path.relative_to(ROOT).as_posix() for path in stale()] == []


def test_the_document(page: dict[str, Any]) -> None:
    """Goal: Grafana finds what its JSON model asks for; pages link to each other."""
    assert page["schemaVersion"] == SCHEMA_VERSION
    assert page["title"].startswith("qrpay / ")
    assert re.fullmatch(r"qrpay-[a-z]+", page["uid"])
    assert page["tags"] == ["qrpay"]
    assert [link["tags"] for link in page["links"]] == [["qrpay"]]
    assert page["time"]["to"] == "now"
    assert page["description"]
    ids = [panel["id"] for panel in page["panels"]]
    assert ids == list(range(1, len(ids) + 1))
    assert page["panels"][0]["type"] == "row"


def test_pages_can_be_told_apart() -> None:
    """Goal: importing one does not replace another."""
    assert len(PAGES) == 5
    assert len({page["uid"] for page in PAGES.values()}) == len(PAGES)
    assert len({page["title"] for page in PAGES.values()}) == len(PAGES)


def test_panels(page: dict[str, Any]) -> None:
    """Goal: each has a unit, thresholds that rise, a query and a legend, and the options of its
    kind."""
    for panel in panels(page):
        title = panel["title"]
        assert set(panel["options"]) == OPTIONS[panel["type"]], title
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults["unit"] in UNITS, title
        steps = [step["value"] for step in defaults["thresholds"]["steps"]]
        assert steps[0] is None, title
        assert steps[1:] == sorted(set(steps[1:])), title
        assert [target["refId"] for target in panel["targets"]] == sorted(
            {target["refId"] for target in panel["targets"]}
        ), title
        for target in panel["targets"]:
            assert target["instant"] is not target["range"], title
            if panel["type"] != "stat":
                assert target["legendFormat"] != "__auto", title


def test_panels_lie_side_by_side(page: dict[str, Any]) -> None:
    """Goal: no panel hides another or leaves the grid, and every line of panels is full."""
    covered: dict[tuple[int, int], str] = {}
    for panel in page["panels"]:
        grid = panel["gridPos"]
        assert grid["x"] >= 0
        assert grid["x"] + grid["w"] <= GRID_COLUMNS
        for x in range(grid["x"], grid["x"] + grid["w"]):
            for y in range(grid["y"], grid["y"] + grid["h"]):
                assert (x, y) not in covered, f"{panel['title']} hides {covered[x, y]}"
                covered[x, y] = panel["title"]
    bottom = max(y for _, y in covered) + 1
    assert len(covered) == GRID_COLUMNS * bottom


def test_the_most_important_is_on_top(page: dict[str, Any]) -> None:
    """Goal: the first line of each page is big numbers, and one that is not known says so."""
    first = [panel for panel in panels(page) if panel["gridPos"]["y"] == 1]
    assert {panel["type"] for panel in first} == {"stat"}
    assert 4 <= len(first) <= 6
    for panel in first:
        assert panel["fieldConfig"]["defaults"]["noValue"] in {"nobody tells", "no traffic"}


def test_every_query_asks_the_chosen_datasource(page: dict[str, Any]) -> None:
    """Goal: the pages work at any Grafana: no datasource and no address is written down."""
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    first = page["templating"]["list"][0]
    assert (first["name"], first["type"], first["query"]) == (
        "datasource",
        "datasource",
        "prometheus",
    )
    asked = [
        *(panel["datasource"] for panel in panels(page)),
        *(target["datasource"] for panel in panels(page) for target in panel["targets"]),
        *(item["datasource"] for item in page["annotations"]["list"]),
        *(item["datasource"] for item in page["templating"]["list"][1:]),
    ]
    assert asked
    assert all(item == chosen for item in asked)
    assert "://" not in str(page)


def test_no_variable_is_unknown() -> None:
    """Goal: what the tests replace is all there is."""
    assert [(where, expr) for where, expr in expressions() if "$" in expr] == []


def test_kubernetes_gets_every_page() -> None:
    """Goal: kustomize makes a ConfigMap of each page that Grafana's sidecar finds, and applies the
    rules."""
    found = yaml.safe_load((HERE / "kustomization.yaml").read_text("utf-8"))
    assert found["resources"] == ["rules.yaml"]
    assert {item["name"]: item["files"] for item in found["configMapGenerator"]} == {
        f"qrpay-dashboard-{name}": [f"grafana/{name}.json"] for name in PAGES
    }
    assert found["generatorOptions"]["labels"] == {"grafana_dashboard": "1"}
