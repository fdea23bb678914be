"""The first page: does it work, how much comes in, how long does it take, what does it use."""

from __future__ import annotations

from k8s.observability.panels import (
    Dashboard,
    Row,
    above,
    below,
    choice,
    lines,
    query,
    stat,
    states,
)

_NOW = [
    stat(
        "Alerts that fire",
        query('count(ALERTS{alertname=~"Qrpay.+", alertstate="firing"}) or vector(0)'),
        steps=above(None, 1),
        description="What each asks of you is in docs/runbook.md.",
    ),
    stat(
        "Processes that answer",
        query('sum(up{job=~"qrpay-.+"}) / count(up{job=~"qrpay-.+"})'),
        unit="percentunit",
        steps=below(0.5, 1),
    ),
    stat(
        "Payments accepted",
        query("sum(rate(qrpay_payment_accepted_total[$__rate_interval]))"),
        unit="reqps",
        steps=[(None, "blue")],
    ),
    stat(
        "Requests to pay answered",
        query(
            '1 - qrpay:slo_bad:rate5m{slo="answered"} / (qrpay:slo_all:rate5m{slo="answered"} > 0)'
        ),
        unit="percentunit",
        steps=below(0.99, 0.999),
        decimals=3,
        nothing="no traffic",
        description="Share without 5xx, last 5 minutes. Promised: 99.9 % in 30 days.",
    ),
    stat(
        "Payments done in 2 s",
        query('1 - qrpay:slo_bad:rate5m{slo="done"} / (qrpay:slo_all:rate5m{slo="done"} > 0)'),
        unit="percentunit",
        steps=below(0.98, 0.995),
        decimals=3,
        nothing="no traffic",
        description="From acceptance to the end, last 5 minutes. Promised: 99.5 % in 30 days.",
    ),
    stat(
        "Oldest payment pending",
        query("max(qrpay_payment_pending_oldest_age_seconds)"),
        unit="s",
        steps=above(10, 60),
    ),
]
_DONE = "sum by (le) (rate(qrpay_payment_done_duration_seconds_bucket[$__rate_interval]))"
_PAYMENTS = [
    lines(
        "Accepted, by kind",
        query(
            "sum by (qrpay_payment_kind) (rate(qrpay_payment_accepted_total[$__rate_interval]))",
            "{{qrpay_payment_kind}}",
        ),
        unit="reqps",
        stacked=True,
    ),
    lines(
        "Ended, by outcome",
        query(
            "sum by (qrpay_payment_outcome, qrpay_payment_reason) "
            "(rate(qrpay_payment_completed_total[$__rate_interval]))",
            "{{qrpay_payment_outcome}} {{qrpay_payment_reason}}",
        ),
        unit="reqps",
        stacked=True,
        description="Payments that failed have a reason; those are answers, not faults.",
    ),
    lines(
        "From acceptance to the end",
        query(f"histogram_quantile(0.5, {_DONE})", "p50"),
        query(f"histogram_quantile(0.95, {_DONE})", "p95"),
        query(f"histogram_quantile(0.99, {_DONE})", "p99"),
        unit="s",
        steps=above(None, 2),
    ),
    lines(
        "Refused, by reason",
        query(
            "sum by (qrpay_payment_reason) (rate(qrpay_payment_refused_total[$__rate_interval]))",
            "{{qrpay_payment_reason}}",
        ),
        unit="reqps",
    ),
    lines(
        "Answered again",
        query(
            "sum by (qrpay_payment_kind) (rate(qrpay_payment_replayed_total[$__rate_interval]))",
            "{{qrpay_payment_kind}}",
        ),
        unit="reqps",
        description="Requests with a key that was used before: clients repeat what was unanswered.",
    ),
    lines(
        "Under way at the gateway",
        query("sum(qrpay_http_intake)", "on their way to payment"),
        query("sum(qrpay_http_waiters)", "wait for a result"),
        query("sum(qrpay_http_streams)", "event streams"),
        query("sum(rate(qrpay_http_requests_shed_total[$__rate_interval]))", "shed per second"),
    ),
]
_HTTP = "http_server_request_duration_seconds"
_RPC = "rpc_server_call_duration_seconds"
_CALLS = [
    lines(
        "Requests, by route",
        query(
            f"sum by (http_request_method, http_route) (rate({_HTTP}_count[$__rate_interval]))",
            "{{http_request_method}} {{http_route}}",
        ),
        unit="reqps",
    ),
    lines(
        "Requests that ended with 5xx",
        query(
            "sum by (http_route, http_response_status_code) (rate("
            f'{_HTTP}_count{{http_response_status_code=~"5.."}}[$__rate_interval]))',
            "{{http_route}} {{http_response_status_code}}",
        ),
        unit="reqps",
    ),
    lines(
        "Requests, p99 by route",
        query(
            "histogram_quantile(0.99, sum by (le, http_request_method, http_route) "
            f"(rate({_HTTP}_bucket[$__rate_interval])))",
            "{{http_request_method}} {{http_route}}",
        ),
        unit="s",
    ),
    lines(
        "Calls, by method",
        query(
            f'sum by (rpc_method) (rate({_RPC}_count{{job=~"$job"}}[$__rate_interval]))',
            "{{rpc_method}}",
        ),
        unit="reqps",
    ),
    lines(
        "Calls that ended with a fault",
        query(
            "sum by (rpc_method, error_type) "
            f'(rate({_RPC}_count{{job=~"$job", error_type!=""}}[$__rate_interval]))',
            "{{rpc_method}} {{error_type}}",
        ),
        unit="reqps",
        description="The server's fault, or overload. A refused payment is an answer.",
    ),
    lines(
        "Calls, p99 by method",
        query(
            "histogram_quantile(0.99, sum by (le, rpc_method) "
            f'(rate({_RPC}_bucket{{job=~"$job"}}[$__rate_interval])))',
            "{{rpc_method}}",
        ),
        unit="s",
    ),
]
_LAG = "rate(qrpay_event_loop_lag_seconds_bucket"
_WAIT = "rate(db_client_connection_wait_time_seconds_bucket"
_PROCESSES = [
    states(
        "Up",
        query('up{job=~"$job"}', "{{job}} {{instance}}"),
        meanings={1: ("up", "green"), 0: ("down", "red")},
        width=8,
    ),
    lines(
        "CPU",
        query(
            "sum by (job, instance) "
            '(rate(process_cpu_time_seconds_total{job=~"$job"}[$__rate_interval]))',
            "{{job}} {{instance}}",
        ),
        unit="percentunit",
        steps=above(None, 0.9),
        description="Of one core. A process has one event loop and cannot use much more.",
    ),
    lines(
        "Memory",
        query('process_memory_usage_bytes{job=~"$job"}', "{{job}} {{instance}}"),
        unit="bytes",
    ),
    lines(
        "Event loop lag, p99",
        query(
            "histogram_quantile(0.99, sum by (le, job, instance) "
            f'({_LAG}{{job=~"$job"}}[$__rate_interval])))',
            "{{job}} {{instance}}",
        ),
        unit="s",
        steps=above(0.1, 0.25),
    ),
    lines(
        "Connections in use",
        query(
            "sum by (db_client_connection_pool_name) (db_client_connection_count"
            '{job=~"$job", db_client_connection_state="used"}) '
            "/ sum by (db_client_connection_pool_name) "
            '(db_client_connection_max{job=~"$job"})',
            "{{db_client_connection_pool_name}}",
        ),
        query(
            "sum by (db_client_connection_pool_name) "
            '(db_client_connection_pending_requests{job=~"$job"})',
            "{{db_client_connection_pool_name}}: waiters",
        ),
        unit="percentunit",
        steps=above(0.8, 1),
        description="Share of the pool. Of waiters, 100 % is one.",
    ),
    lines(
        "Wait for a connection, p99",
        query(
            "histogram_quantile(0.99, sum by (le, db_client_connection_pool_name) "
            f'({_WAIT}{{job=~"$job"}}[$__rate_interval])))',
            "{{db_client_connection_pool_name}}",
        ),
        unit="s",
    ),
]

PAGE = Dashboard(
    uid="qrpay-overview",
    title="qrpay / Overview",
    description="Does it work, how much comes in, how long does it take, what does it use.",
    variables=[choice("job", "Process", 'label_values(up{job=~"qrpay-.+"}, job)')],
    rows=[
        Row(title="Now", panels=_NOW),
        Row(title="Payments", panels=_PAYMENTS),
        Row(title="Requests and calls", panels=_CALLS),
        Row(title="Processes", panels=_PROCESSES),
    ],
)
