"""What a difference means and what a person does about it, in words."""

from __future__ import annotations

from ledger_svc.reconciliation.model import Kind

EXPLANATIONS = {
    Kind.MISSING_IN_PAYMENTS: (
        "Wallet knows the transfer of a payment that payment_svc does not have. Was its "
        "database restored from an older copy? Bring the row back, or have the money moved "
        "back."
    ),
    Kind.MISSING_IN_WALLET: (
        "The payment has ended, and wallet has no transfer that says so. If wallet's database "
        "lost rows, bring them back; its balances tell whether the money moved."
    ),
    Kind.MISSING_IN_LEDGER: (
        "The money moved and is not in the journal, which refuses it or has it otherwise. The "
        "ledger's log names the reason."
    ),
    Kind.EXTRA_IN_PAYMENTS: (
        "The payer was told that the payment is done, but no money moved and nothing is booked."
    ),
    Kind.EXTRA_IN_WALLET: ("Money moved for a payment that nobody accepted."),
    Kind.EXTRA_IN_LEDGER: (
        "A payment is booked whose money did not move. If so, reverse the transaction."
    ),
    Kind.AMOUNT: (
        "The books name different amounts for one payment. Two against one are taken as expected."
    ),
    Kind.CURRENCY: (
        "The books name different currencies for one payment. Two against one are taken as "
        "expected."
    ),
    Kind.PARTIES: (
        "The books name different wallets for one payment. Two against one are taken as expected."
    ),
    Kind.STATUS: ("What payment_svc told of the payment is not what became of its transfer."),
    Kind.BALANCE_DRIFT: (
        "The wallet's balance is not the sum of its entries, an entry does not fit, or the "
        "ledger's account says otherwise. Find which of them is right before anybody pays from "
        "it."
    ),
    Kind.STUCK: (
        "The payment was accepted and has not ended in time. It is put into the queue again; "
        "if it is a dead letter, the desk of dead letters has it."
    ),
}
"""By kind of difference."""
