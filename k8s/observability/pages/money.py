"""The page of the books: what must be zero, and whether it is known."""

from __future__ import annotations

from k8s.observability.panels import NOT_ZERO, Dashboard, Row, above, lines, query, stat

_CURRENCY = "{{qrpay_currency}}"
_ZERO = [
    stat(
        "Wallets add up to",
        query("max(abs(qrpay_wallet_balance_sum))"),
        steps=NOT_ZERO,
        description="Sum of all wallets, the currency that is most off, minor units. Always 0.",
    ),
    stat(
        "Debits less credits",
        query("max(abs(qrpay_ledger_trial_balance))"),
        steps=NOT_ZERO,
        description="The trial balance of the currency that is most off, minor units. Always 0.",
    ),
    stat(
        "Wallets below zero",
        query("sum(max by (qrpay_currency) (qrpay_wallet_negative))"),
        steps=NOT_ZERO,
    ),
    stat(
        "Differences",
        query("max(qrpay_reconciliation_differences)"),
        steps=NOT_ZERO,
        description="Between payments, wallets and the ledger, that nobody has seen to.",
    ),
    stat("Cases open", query("max(qrpay_reconciliation_cases_open)"), steps=above(1, 10)),
    stat(
        "Commits unknown, 24 h",
        query("sum(increase(qrpay_commit_unknown_total[24h]))"),
        steps=above(1, 100),
        decimals=0,
        description="Interrupted commits; repeats have found out, or will, what became of them.",
    ),
]
_BOOKS = [
    lines(
        "Sum of all wallets",
        query("max by (qrpay_currency) (qrpay_wallet_balance_sum)", _CURRENCY),
        least=None,
        description="Minor units.",
    ),
    lines(
        "Trial balance",
        query("max by (qrpay_currency) (qrpay_ledger_trial_balance)", _CURRENCY),
        least=None,
        description="Debits less credits, minor units.",
    ),
    lines(
        "Reconciliation",
        query("max(qrpay_reconciliation_differences)", "differences"),
        query("max(qrpay_reconciliation_cases_open)", "cases open"),
        query("sum(max by (qrpay_currency) (qrpay_wallet_negative))", "wallets below zero"),
    ),
]
_FLOW = [
    lines(
        "Turnover, by currency",
        query("max by (qrpay_currency) (deriv(qrpay_ledger_turnover[10m]))", _CURRENCY),
        least=None,
        description="Debits booked per second, minor units.",
    ),
    lines(
        "Reconciled up to",
        query("max(qrpay_reconciliation_behind_seconds)", "behind"),
        unit="s",
        steps=above(600, 1800),
        description="Age of the oldest payment that is not known to agree in all books.",
    ),
    lines(
        "Ledger behind payments",
        query(
            'max(qrpay_queue_oldest_age_seconds{messaging_consumer_group_name="ledger-posting"})',
            "oldest result not booked",
        ),
        unit="s",
        steps=above(30, 60),
    ),
    lines(
        "Wallets",
        query("max by (qrpay_currency) (qrpay_wallet_count)", _CURRENCY),
        description="Those of the system included.",
    ),
    lines(
        "Accepted less ended, last hour",
        query(
            "sum(increase(qrpay_payment_accepted_total[1h])) "
            "- sum(increase(qrpay_payment_completed_total[1h]))",
            "payments",
        ),
        least=None,
        description="About what is pending or waits for a person. Counters miss what a crash took.",
    ),
    lines(
        "Commits unknown",
        query(
            "sum by (db_client_connection_pool_name) "
            "(increase(qrpay_commit_unknown_total[$__rate_interval]))",
            "{{db_client_connection_pool_name}}",
        ),
    ),
]

PAGE = Dashboard(
    uid="qrpay-money",
    title="qrpay / Money",
    description="What must be zero, and whether it is known. Green and 0, or somebody must look.",
    hours=24,
    rows=[
        Row(title="Must be zero", panels=_ZERO),
        Row(title="The books", panels=_BOOKS),
        Row(title="What flows", panels=_FLOW),
    ],
)
