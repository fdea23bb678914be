"""What dashboards are made of: panels of a few kinds, rows, pages.

Only what we use, under names of our own; ``document`` writes it down as Grafana stores it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

Json = dict[str, Any]

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
"""The one that is chosen on top of the page."""
_GREEN, _YELLOW, _RED = "green", "yellow", "red"


@dataclass(frozen=True, kw_only=True)
class Query:
    """One line of PromQL, and what its series are called."""

    expr: str
    legend: str = ""
    heatmap: bool = False


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A panel, without its place."""

    title: str
    kind: str
    queries: Sequence[Query]
    unit: str
    width: int
    height: int
    description: str = ""
    steps: Sequence[tuple[float | None, str]] = ((None, _GREEN),)
    """Thresholds, rising: from this value on, this colour."""
    options: Json = field(default_factory=dict)
    custom: Json = field(default_factory=dict)
    defaults: Json = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A heading and the panels below it."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """A page."""

    uid: str
    title: str
    description: str
    rows: Sequence[Row]
    variables: Sequence[Json] = ()
    hours: int = 3


def query(expr: str, legend: str = "") -> Query:
    """A query."""
    return Query(expr=" ".join(expr.split()), legend=legend)


def above(yellow: float | None, red: float) -> Sequence[tuple[float | None, str]]:
    """Green, and worse the higher it is."""
    middle = [] if yellow is None else [(yellow, _YELLOW)]
    return [(None, _GREEN), *middle, (red, _RED)]


def below(red: float, yellow: float) -> Sequence[tuple[float | None, str]]:
    """Red up to ``red``, yellow up to ``yellow``, green from there on."""
    return [(None, _RED), (red, _YELLOW), (yellow, _GREEN)]


NOT_ZERO = [(None, _RED), (0.0, _GREEN), (0.000001, _RED)]
"""Anything but 0 is red."""


def stat(
    title: str,
    *queries: Query,
    unit: str = "short",
    steps: Sequence[tuple[float | None, str]] = ((None, _GREEN),),
    description: str = "",
    width: int = 4,
    decimals: int | None = None,
    nothing: str = "nobody tells",
) -> Panel:
    """A big number with its colour. ``nothing`` is shown in place of no value, in grey: what is not
    known must not look like a good answer."""
    defaults: Json = {
        "noValue": nothing,
        "mappings": [
            {
                "type": "special",
                "options": {"match": "null+nan", "result": {"text": nothing, "color": "text"}},
            }
        ],
    }
    if decimals is not None:
        defaults["decimals"] = decimals
    return Panel(
        title=title,
        kind="stat",
        queries=queries,
        unit=unit,
        width=width,
        height=4,
        description=description,
        steps=steps,
        options={
            "colorMode": "background",
            "graphMode": "area",
            "justifyMode": "auto",
            "orientation": "auto",
            "textMode": "auto" if len(queries) == 1 and not queries[0].legend else "value_and_name",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        },
        defaults=defaults,
    )


def lines(
    title: str,
    *queries: Query,
    unit: str = "short",
    steps: Sequence[tuple[float | None, str]] = ((None, _GREEN),),
    description: str = "",
    width: int = 8,
    height: int = 8,
    stacked: bool = False,
    least: float | None = 0,
    most: float | None = None,
) -> Panel:
    """Values over time; thresholds are drawn as dashed lines."""
    defaults: Json = {"color": {"mode": "palette-classic"}}
    if least is not None:
        defaults["min"] = least
    if most is not None:
        defaults["max"] = most
    return Panel(
        title=title,
        kind="timeseries",
        queries=queries,
        unit=unit,
        width=width,
        height=height,
        description=description,
        steps=steps,
        options={
            "legend": {
                "displayMode": "table",
                "placement": "bottom",
                "showLegend": True,
                "calcs": ["lastNotNull", "max"],
            },
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        custom={
            "drawStyle": "line",
            "lineInterpolation": "linear",
            "lineWidth": 1,
            "fillOpacity": 30 if stacked else 8,
            "gradientMode": "none",
            "showPoints": "never",
            "spanNulls": False,
            "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
            "thresholdsStyle": {"mode": "dashed" if len(steps) > 1 else "off"},
            "axisPlacement": "auto",
        },
        defaults=defaults,
    )


def bars(
    title: str,
    one: Query,
    *,
    unit: str = "short",
    steps: Sequence[tuple[float | None, str]] = ((None, "blue"),),
    description: str = "",
    width: int = 8,
    height: int = 8,
) -> Panel:
    """A bar for each series, longest first, of this moment."""
    return Panel(
        title=title,
        kind="bargauge",
        queries=[one],
        unit=unit,
        width=width,
        height=height,
        description=description,
        steps=steps,
        options={
            "displayMode": "gradient",
            "orientation": "horizontal",
            "showUnfilled": True,
            "minVizHeight": 16,
            "valueMode": "color",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        },
        defaults={"min": 0, "noValue": "none"},
    )


def heatmap(title: str, expr: str, *, description: str = "", width: int = 12) -> Panel:
    """How a histogram's values are spread over time. ``expr`` gives its buckets by `le`."""
    return Panel(
        title=title,
        kind="heatmap",
        queries=[replace(query(expr, "{{le}}"), heatmap=True)],
        unit="s",
        width=width,
        height=8,
        description=description,
        options={
            "calculate": False,
            "cellGap": 1,
            "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64, "exponent": 0.5},
            "exemplars": {"color": "rgba(255,0,255,0.7)"},
            "filterValues": {"le": 1e-9},
            "legend": {"show": True},
            "rowsFrame": {"layout": "auto"},
            "tooltip": {"show": True, "mode": "single", "yHistogram": True},
            "yAxis": {"axisPlacement": "left", "reverse": False, "unit": "s"},
        },
    )


def states(
    title: str,
    one: Query,
    *,
    meanings: Mapping[int, tuple[str, str]],
    description: str = "",
    width: int = 12,
) -> Panel:
    """A band for each series, coloured by what its number means."""
    mapping = {
        str(number): {"text": text, "color": color, "index": place}
        for place, (number, (text, color)) in enumerate(meanings.items())
    }
    return Panel(
        title=title,
        kind="state-timeline",
        queries=[one],
        unit="short",
        width=width,
        height=8,
        description=description,
        options={
            "alignValue": "left",
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False},
            "mergeValues": True,
            "rowHeight": 0.8,
            "showValue": "never",
            "tooltip": {"mode": "single", "sort": "none"},
        },
        custom={"fillOpacity": 80, "lineWidth": 0},
        defaults={"mappings": [{"type": "value", "options": mapping}]},
    )


def choice(name: str, label: str, expr: str) -> Json:
    """A variable on top of the page: one, several or all values of a label."""
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": DATASOURCE,
        "definition": expr,
        "query": {"query": expr, "refId": f"variable-{name}"},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".+",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "hide": 0,
        "options": [],
        "regex": "",
        "skipUrlSync": False,
    }
