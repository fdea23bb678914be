"""The page of the queue: what waits, for how long, what is tried again, what is given up."""

from __future__ import annotations

from k8s.observability.panels import Dashboard, Row, above, bars, heatmap, lines, query, stat

_WHO = "messaging_consumer_group_name"
_BY_WHO = f"{{{{{_WHO}}}}}"
_NOW = [
    stat(
        "Oldest payment pending",
        query("max(qrpay_payment_pending_oldest_age_seconds)"),
        unit="s",
        steps=above(10, 60),
    ),
    stat(
        "Oldest task",
        query(f'max(qrpay_queue_oldest_age_seconds{{{_WHO}="executor"}})'),
        unit="s",
        steps=above(5, 30),
        description="That is not executed.",
    ),
    stat(
        "Oldest result",
        query(f'max(qrpay_queue_oldest_age_seconds{{{_WHO}="payment-results"}})'),
        unit="s",
        steps=above(5, 30),
        description="That its payment does not know of.",
    ),
    stat(
        "Dead letters open",
        query("max(qrpay_dead_letters_open)"),
        steps=above(1, 20),
        description="They wait for a person: qrpay dead-letters list.",
    ),
    stat(
        "Oldest dead letter",
        query("max(qrpay_dead_letters_oldest_age_seconds)"),
        unit="s",
        steps=above(3600, 14400),
    ),
    stat(
        "Put back by the sweeper, 10 min",
        query("sum(increase(qrpay_sweeper_republished_total[10m]))"),
        steps=above(1, 30),
        decimals=0,
    ),
]
_WAITS = [
    lines(
        "Not yet delivered",
        query(f"max by ({_WHO}) (qrpay_queue_depth)", _BY_WHO),
        description="Messages; one carries up to 256 payments.",
    ),
    lines(
        "Age of the oldest message",
        query(f"max by ({_WHO}) (qrpay_queue_oldest_age_seconds)", _BY_WHO),
        unit="s",
        steps=above(None, 30),
        description="Retries wait on purpose.",
    ),
    lines(
        "Under way, of what may be",
        query(
            f"max by ({_WHO}) (qrpay_queue_ack_pending) "
            f"/ max by ({_WHO}) (qrpay_queue_ack_pending_max)",
            _BY_WHO,
        ),
        unit="percentunit",
        steps=above(0.7, 0.9),
        most=1,
    ),
]
_WORK = [
    lines(
        "Delivered",
        query(
            f"sum by ({_WHO}) (rate(messaging_client_consumed_messages_total[$__rate_interval]))",
            _BY_WHO,
        ),
        unit="reqps",
        stacked=True,
    ),
    lines(
        "Delivered again",
        query(
            f"sum by ({_WHO}) (rate(messaging_client_consumed_messages_total"
            '{qrpay_queue_redelivery="true"}[$__rate_interval]))',
            _BY_WHO,
        ),
        query(f"max by ({_WHO}) (qrpay_queue_redelivered)", f"{_BY_WHO}: not acknowledged"),
    ),
    lines(
        "Handler, p99",
        query(
            f"histogram_quantile(0.99, sum by (le, {_WHO}) "
            "(rate(messaging_process_duration_seconds_bucket[$__rate_interval])))",
            _BY_WHO,
        ),
        unit="s",
    ),
    lines(
        "Publish, p99",
        query(
            "histogram_quantile(0.99, sum by (le, messaging_destination_name) "
            "(rate(messaging_client_operation_duration_seconds_bucket[$__rate_interval])))",
            "{{messaging_destination_name}}",
        ),
        unit="s",
        description="Until the queue has it on its disk.",
    ),
    lines(
        "Items in a batch, mean",
        query(
            "sum by (qrpay_batch_name) (rate(qrpay_batch_size_sum[$__rate_interval])) "
            "/ sum by (qrpay_batch_name) (rate(qrpay_batch_size_count[$__rate_interval]))",
            "{{qrpay_batch_name}}",
        ),
        description="Larger under load: that is what makes it fast.",
    ),
    lines(
        "Wait for a batch, p99",
        query(
            "histogram_quantile(0.99, sum by (le, qrpay_batch_name) "
            "(rate(qrpay_batch_wait_seconds_bucket[$__rate_interval])))",
            "{{qrpay_batch_name}}",
        ),
        unit="s",
    ),
]
_GIVEN_UP = [
    bars(
        "Dead letters, last day by reason",
        query(
            "sum by (qrpay_dead_letter_reason) (increase(qrpay_dead_letters_filed_total[24h])) > 0",
            "{{qrpay_dead_letter_reason}}",
        ),
    ),
    lines(
        "Put back by the sweeper",
        query("sum(rate(qrpay_sweeper_republished_total[$__rate_interval]))", "payments"),
        unit="reqps",
    ),
    heatmap(
        "From acceptance to the end",
        "sum by (le) (increase(qrpay_payment_done_duration_seconds_bucket[$__rate_interval]))",
        width=8,
    ),
]

PAGE = Dashboard(
    uid="qrpay-queue",
    title="qrpay / Queue",
    description="What waits, for how long, what is tried again, what is given up.",
    rows=[
        Row(title="Now", panels=_NOW),
        Row(title="What waits", panels=_WAITS),
        Row(title="What is done", panels=_WORK),
        Row(title="What is given up", panels=_GIVEN_UP),
    ],
)
