"""The page of the codes: issued, scanned, unknown, and what is in stock."""

from __future__ import annotations

from k8s.observability.panels import Dashboard, Row, above, bars, below, heatmap, lines, query, stat

_CALLS = 'rpc_server_call_duration_seconds_bucket{{rpc_method=~"qrpay.barcode.v1.+/{0}"}}'
_ISSUED_IN = _CALLS.format("IssueBarcodes?")
_REDEEMED_IN = _CALLS.format("RedeemBarcodes")
_ISSUED = 'qrpay_batch_size_sum{qrpay_batch_name="issue barcodes"}'
_VALKEY = "db_client_operation_duration_seconds"


def _quantile(share: float, buckets: str) -> str:
    return f"histogram_quantile({share}, sum by (le) (rate({buckets}[$__rate_interval])))"


_NOW = [
    stat(
        "Codes issued",
        query(f"sum(rate({_ISSUED}[$__rate_interval]))"),
        unit="reqps",
        steps=[(None, "blue")],
        nothing="no traffic",
        description="To apps. What partners ask for themselves is in the calls below.",
    ),
    stat(
        "Codes scanned",
        query("sum(rate(qrpay_barcodes_scans_total[$__rate_interval]))"),
        unit="reqps",
        steps=[(None, "blue")],
        nothing="no traffic",
    ),
    stat(
        "Scans that miss",
        query("max(qrpay_barcodes_miss_ratio)"),
        unit="percentunit",
        steps=above(0.1, 0.3),
        description="Unknown codes among those of the last minute or two.",
    ),
    stat(
        "Codes in stock",
        query("min(qrpay_barcodes_pool_level)"),
        steps=below(1, 500),
        description="Made and not issued, in the process that has least.",
    ),
    stat(
        "Issue, p99",
        query(_quantile(0.99, _ISSUED_IN)),
        unit="s",
        steps=above(0.05, 0.25),
        nothing="no traffic",
    ),
    stat(
        "Redeem, p99",
        query(_quantile(0.99, _REDEEMED_IN)),
        unit="s",
        steps=above(0.1, 0.5),
        nothing="no traffic",
    ),
]
_SCANS = [
    lines(
        "Scans, by outcome",
        query(
            "sum by (outcome) (rate(qrpay_barcodes_scans_total[$__rate_interval]))", "{{outcome}}"
        ),
        unit="reqps",
        stacked=True,
    ),
    lines(
        "Scans that miss",
        query("max by (instance) (qrpay_barcodes_miss_ratio)", "{{instance}}"),
        unit="percentunit",
        steps=above(None, 0.3),
        most=1,
    ),
    bars(
        "Merchants where codes miss, last hour",
        query(
            "topk(10, sum by (qrpay_merchant) (increase(qrpay_barcodes_misses_total[1h]))) > 0",
            "{{qrpay_merchant}}",
        ),
        description="One merchant: a broken scanner. Many: somebody guesses.",
    ),
]
_WORK = [
    heatmap("Issue", f"sum by (le) (increase({_ISSUED_IN}[$__rate_interval]))", width=8),
    heatmap("Redeem", f"sum by (le) (increase({_REDEEMED_IN}[$__rate_interval]))", width=8),
    lines(
        "Codes in stock",
        query("min by (instance) (qrpay_barcodes_pool_level)", "{{instance}}"),
    ),
    lines(
        "Valkey, p50 and p99",
        query(_quantile(0.5, f"{_VALKEY}_bucket"), "p50"),
        query(_quantile(0.99, f"{_VALKEY}_bucket"), "p99"),
        unit="s",
        description="Waiting for a connection included.",
    ),
    lines(
        "Valkey, under way and failed",
        query("sum by (instance) (qrpay_valkey_operations)", "{{instance}}: under way"),
        query(
            f'sum by (error_type) (rate({_VALKEY}_count{{error_type!=""}}[$__rate_interval]))',
            "{{error_type}} per second",
        ),
    ),
    lines(
        "Calls, by method",
        query(
            "sum by (rpc_method) (rate(rpc_server_call_duration_seconds_count"
            '{rpc_method=~"qrpay.barcode.v1.+"}[$__rate_interval]))',
            "{{rpc_method}}",
        ),
        unit="reqps",
    ),
]

PAGE = Dashboard(
    uid="qrpay-barcodes",
    title="qrpay / Barcodes",
    description="Codes issued, scanned, unknown, and what is in stock.",
    rows=[
        Row(title="Now", panels=_NOW),
        Row(title="Scans", panels=_SCANS),
        Row(title="How long it takes", panels=_WORK),
    ],
)
