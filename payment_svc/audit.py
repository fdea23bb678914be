"""What is recorded of the calls of payment_svc's services."""

from __future__ import annotations

from collections.abc import Mapping

from chassis.audit.acts import Act, Weight, change, read

PAYMENT_ACTS: Mapping[str, Act] = {
    "SubmitPayments": Act(
        weight=Weight.PAYMENT,
        things=["items.caller_id"],
        made=["results.payment.id"],
        results="results",
    ),
    "GetPayment": read("payment_id"),
    "BatchGetPayments": read("payment_ids"),
    "ListPayments": read("owner_id"),
    "ListCompletedPayments": read(),
    "ListPaymentEvents": read("owner_id"),
    "DigestPayments": read(),
    "ListPaymentRecords": read(),
    "RepublishPayments": change("payment_ids"),
    "CreateBankAccount": change("owner_id", made=["bank_account.id"]),
    "ListBankAccounts": read("owner_id"),
}

TIMELINE_ACTS: Mapping[str, Act] = {"GetTimeline": read("payment_id", "viewer_id")}

DEAD_LETTER_ACTS: Mapping[str, Act] = {
    "ListDeadLetters": read("filter.payment_id"),
    "GetDeadLetter": read("dead_letter_id"),
    "RedriveDeadLetters": change(
        "dead_letter_ids", made=["results.letter.letter.payment_id"], results="results"
    ),
    "DiscardDeadLetter": change("dead_letter_id", made=["letter.letter.payment_id"]),
}
