"""What is recorded of the calls of the ledger's services."""

from __future__ import annotations

from collections.abc import Mapping

from chassis.audit.acts import Act, change, read

LEDGER_ACTS: Mapping[str, Act] = {
    "BatchGetAccounts": read("account_ids"),
    "ListAccounts": read(),
    "GetTransaction": read("payment_id"),
    "GetTrialBalance": read(),
    "GetReceipt": read("payment_id"),
    "ListReceiptKeys": read(),
}

BOOK_ACTS: Mapping[str, Act] = {
    "GetBalance": read("account_id"),
    "SumBalances": read(),
    "ListPostings": read("account_id"),
    "SearchTransactions": read("source_id", "account_id"),
}

RECONCILIATION_ACTS: Mapping[str, Act] = {
    # It may heal, freeze and file.
    "Reconcile": change("pass_id", made=["pass_id"]),
    "ListCases": read("subject_id"),
    "GetCase": read("case_id"),
    "ResolveCase": change("case_id"),
}

BANK_STATEMENT_ACTS: Mapping[str, Act] = {
    # The account is an IBAN: it is not named here.
    "ImportBankStatement": change(made=["statements.statement.id"]),
    "ListBankStatementLines": read(),
    "ListUnmatchedPayments": read(),
    "MatchBankStatementLine": change("line_id", "payment_id"),
}

CORRECTION_ACTS: Mapping[str, Act] = {
    "ProposeCorrection": change("reverses", "postings.account_id", made=["correction.id"]),
    "ApproveCorrection": change("correction_id", made=["correction.transaction_id"]),
    "RejectCorrection": change("correction_id"),
    "GetCorrection": read("correction_id"),
    "ListCorrections": read(),
}
