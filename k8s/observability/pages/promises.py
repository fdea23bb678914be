"""The page of the promises (SLO): what is left of each month's budget, and how fast it goes."""

from __future__ import annotations

from collections.abc import Sequence

from k8s.observability.panels import (
    Dashboard,
    Panel,
    Row,
    above,
    below,
    heatmap,
    lines,
    query,
    stat,
)

_WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")


def _bad_share(slo: str, window: str) -> str:
    bad, every = (f'qrpay:slo_{what}:rate5m{{slo="{slo}"}}[{window}]' for what in ("bad", "all"))
    return f"sum_over_time({bad}) / (sum_over_time({every}) > 0)"


def _promise(slo: str, promised: float) -> Sequence[Panel]:
    of = f'{{slo="{slo}"}}'
    left = f"1 - {_bad_share(slo, '30d')} / qrpay:slo_budget:ratio{of}"
    steps = below(promised, promised + (1 - promised) / 4)
    return [
        stat(
            "Budget left, 30 days",
            query(left),
            unit="percentunit",
            steps=below(0.0, 0.25),
            decimals=1,
            nothing="no traffic",
            description="Below 0 the promise is broken.",
        ),
        stat(
            "Kept, 30 days",
            query(f"1 - {_bad_share(slo, '30d')}"),
            unit="percentunit",
            steps=steps,
            decimals=3,
            nothing="no traffic",
        ),
        stat(
            "Kept, 1 day",
            query(f"1 - {_bad_share(slo, '1d')}"),
            unit="percentunit",
            steps=steps,
            decimals=3,
            nothing="no traffic",
        ),
        stat(
            "Burns, 1 hour",
            query(f"qrpay:slo_burn:ratio_1h{of}"),
            unit="suffix: x",
            steps=above(1, 14.4),
            decimals=2,
            nothing="no traffic",
            description="Times as fast as it may. 14.4: a person is called.",
        ),
        stat(
            "Burns, 6 hours",
            query(f"qrpay:slo_burn:ratio_6h{of}"),
            unit="suffix: x",
            steps=above(1, 6),
            decimals=2,
            nothing="no traffic",
        ),
        stat(
            "Burns, 3 days",
            query(f"qrpay:slo_burn:ratio_3d{of}"),
            unit="suffix: x",
            steps=above(0.5, 1),
            decimals=2,
            nothing="no traffic",
        ),
        lines(
            "How fast it burns, by window",
            *(query(f"qrpay:slo_burn:ratio_{window}{of}", window) for window in _WINDOWS),
            unit="suffix: x",
            width=12,
            steps=above(1, 14.4),
        ),
        lines(
            "Of how many",
            query(f"qrpay:slo_all:rate5m{of}", "all"),
            query(f"qrpay:slo_bad:rate5m{of}", "bad"),
            unit="reqps",
            width=12,
        ),
    ]


PAGE = Dashboard(
    uid="qrpay-promises",
    title="qrpay / Promises (SLO)",
    description="What is left of each promise's budget for 30 days, and how fast it is used up.",
    hours=24,
    rows=[
        Row(
            title="99.9 % of requests to pay are answered without 5xx",
            panels=_promise("answered", 0.999),
        ),
        Row(
            title="99.5 % of accepted payments are done within 2 s",
            panels=_promise("done", 0.995),
        ),
        Row(
            title="From acceptance to the end",
            panels=[
                heatmap(
                    "How long payments take",
                    "sum by (le) "
                    "(increase(qrpay_payment_done_duration_seconds_bucket[$__rate_interval]))",
                ),
                lines(
                    "p99, by kind",
                    query(
                        "histogram_quantile(0.99, sum by (le, qrpay_payment_kind) (rate("
                        "qrpay_payment_done_duration_seconds_bucket[$__rate_interval])))",
                        "{{qrpay_payment_kind}}",
                    ),
                    unit="s",
                    steps=above(None, 2),
                    width=12,
                ),
            ],
        ),
    ],
)
