"""Dashboards as Grafana stores them: its JSON model, and the grid that panels are placed on."""

from __future__ import annotations

from collections.abc import Sequence

from k8s.observability.panels import DATASOURCE, Dashboard, Json, Panel, Query, Row

SCHEMA_VERSION = 39
"""Of Grafana 11; newer ones migrate it by themselves."""
GRID_COLUMNS = 24


def to_json(dashboard: Dashboard) -> Json:
    """The document that Grafana imports."""
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.description,
        "tags": ["qrpay"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": f"now-{dashboard.hours}h", "to": "now"},
        "timezone": "browser",
        "annotations": {"list": [_firing_alerts()]},
        "links": [_other_pages()],
        "templating": {"list": [_datasources(), *dashboard.variables]},
        "panels": _placed(dashboard.rows),
    }


def _placed(rows: Sequence[Row]) -> list[Json]:
    """Panels from left to right, into a new line where there is no room, below their rows."""
    placed: list[Json] = []
    top = 0
    for row in rows:
        heading = {"type": "row", "title": row.title, "collapsed": False, "panels": []}
        grid = {"x": 0, "y": top, "w": GRID_COLUMNS, "h": 1}
        placed.append({"id": len(placed) + 1, "gridPos": grid, **heading})
        top, left, tallest = top + 1, 0, 0
        for panel in row.panels:
            if left + panel.width > GRID_COLUMNS:
                top, left, tallest = top + tallest, 0, 0
            grid = {"x": left, "y": top, "w": panel.width, "h": panel.height}
            placed.append({"id": len(placed) + 1, "gridPos": grid, **_panel(panel)})
            left, tallest = left + panel.width, max(tallest, panel.height)
        top += tallest
    return placed


def _panel(panel: Panel) -> Json:
    steps = [{"value": value, "color": color} for value, color in panel.steps]
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": DATASOURCE,
        "targets": [_target(item, panel, place) for place, item in enumerate(panel.queries)],
        "fieldConfig": {
            "defaults": {
                "unit": panel.unit,
                "color": {"mode": "thresholds"},
                "thresholds": {"mode": "absolute", "steps": steps},
                "custom": panel.custom,
                **panel.defaults,
            },
            "overrides": [],
        },
        "options": panel.options,
    }


def _target(item: Query, panel: Panel, place: int) -> Json:
    now = panel.kind == "bargauge"
    return {
        "refId": chr(ord("A") + place),
        "datasource": DATASOURCE,
        "editorMode": "code",
        "expr": item.expr,
        "legendFormat": item.legend or "__auto",
        "format": "heatmap" if item.heatmap else "time_series",
        "instant": now,
        "range": not now,
    }


def _datasources() -> Json:
    return {
        "name": "datasource",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
        "current": {},
        "hide": 0,
        "includeAll": False,
        "multi": False,
        "options": [],
        "refresh": 1,
        "regex": "",
        "skipUrlSync": False,
    }


def _firing_alerts() -> Json:
    return {
        "name": "Alerts",
        "datasource": DATASOURCE,
        "enable": True,
        "hide": False,
        "iconColor": "red",
        "expr": 'ALERTS{alertname=~"Qrpay.+", alertstate="firing"}',
        "titleFormat": "{{alertname}}",
        "textFormat": "{{severity}}",
        "step": "60s",
    }


def _other_pages() -> Json:
    return {
        "type": "dashboards",
        "title": "qrpay",
        "tags": ["qrpay"],
        "asDropdown": False,
        "includeVars": True,
        "keepTime": True,
        "icon": "external link",
        "targetBlank": False,
    }
