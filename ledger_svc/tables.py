"""The tables of ledger_svc, as SQLAlchemy sees them. The migrations make them; a test compares."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Identity,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB

from chassis.audit.tables import add_audit_records

metadata = MetaData()

accounts = Table(
    "accounts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("currency_code", Text, nullable=False),
    Column("debits_posted_minor", BigInteger, nullable=False),
    Column("credits_posted_minor", BigInteger, nullable=False),
    Column("class", SmallInteger, nullable=True),
    Column("book_only_minor", BigInteger, nullable=False),
)

journal_head = Table(
    "journal_head",
    metadata,
    Column("one", Boolean, primary_key=True),
    Column("batch_number", BigInteger, nullable=False),
    Column("transaction_number", BigInteger, nullable=False),
    Column("book_time", DateTime(timezone=True), nullable=False),
    Column("hash", LargeBinary, nullable=False),
)

journal_batches = Table(
    "journal_batches",
    metadata,
    Column("number", BigInteger, primary_key=True),
    Column("first_transaction_number", BigInteger, nullable=False),
    Column("last_transaction_number", BigInteger, nullable=False),
    Column("book_time", DateTime(timezone=True), nullable=False),
    Column("root_hash", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)

journal_transactions = Table(
    "journal_transactions",
    metadata,
    Column("number", BigInteger, primary_key=True),
    Column("source_id", Text, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("effective_time", DateTime(timezone=True), nullable=False),
    Column("batch_number", BigInteger, nullable=False),
    Column("reverses_number", BigInteger, nullable=True),
    Column("description", Text, nullable=False),
    Column("leaf_hash", LargeBinary, nullable=False),
)

catch_up = Table(
    "catch_up",
    metadata,
    Column("one", Boolean, primary_key=True),
    Column("caught_up_to", DateTime(timezone=True), nullable=False),
)

postings = Table(
    "postings",
    metadata,
    Column("transaction_number", BigInteger, primary_key=True),
    Column("line", SmallInteger, primary_key=True),
    Column("account_id", Text, nullable=False),
    Column("direction", SmallInteger, nullable=False),
    Column("currency_code", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("balance_after_minor", BigInteger, nullable=False),
)

journal_tree = Table(
    "journal_tree",
    metadata,
    Column("one", Boolean, primary_key=True),
    Column("batch_count", BigInteger, nullable=False),
)

journal_nodes = Table(
    "journal_nodes",
    metadata,
    Column("level", SmallInteger, primary_key=True),
    Column("place", BigInteger, primary_key=True),
    Column("hash", LargeBinary, nullable=False),
)

journal_heads = Table(
    "journal_heads",
    metadata,
    Column("batch_count", BigInteger, primary_key=True),
    Column("content", Text, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("publish_time", DateTime(timezone=True), nullable=True),
)

reconciliation_progress = Table(
    "reconciliation_progress",
    metadata,
    Column("one", Boolean, primary_key=True),
    Column("verified_milliseconds", BigInteger, nullable=False),
    Column("history_milliseconds", BigInteger, nullable=False),
)

reconciliation_cases = Table(
    "reconciliation_cases",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("payment_id", Text, nullable=False),
    Column("wallet_id", Text, nullable=False),
    Column("identity", Text, nullable=False),
    Column("wallet_ids", ARRAY(Text), nullable=False),
    Column("expected", Text, nullable=False),
    Column("found", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("first_seen_time", DateTime(timezone=True), nullable=False),
    Column("last_seen_time", DateTime(timezone=True), nullable=False),
    Column("resolved_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
)

reconciliation_case_records = Table(
    "reconciliation_case_records",
    metadata,
    Column("number", BigInteger, Identity(always=True), primary_key=True),
    Column("case_id", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("time", DateTime(timezone=True), nullable=False),
)

corrections = Table(
    "corrections",
    metadata,
    Column("id", Text, primary_key=True),
    Column("request_id", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("caller", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("effective_time", DateTime(timezone=True), nullable=False),
    Column("reverses_number", BigInteger, nullable=True),
    Column("postings", JSONB, nullable=False),
    Column("propose_time", DateTime(timezone=True), nullable=False),
)

correction_decisions = Table(
    "correction_decisions",
    metadata,
    Column("correction_id", Text, primary_key=True),
    Column("proposer", Text, nullable=False),
    Column("is_approved", Boolean, nullable=False),
    Column("actor", Text, nullable=False),
    Column("caller", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("decide_time", DateTime(timezone=True), nullable=False),
)

bank_statements = Table(
    "bank_statements",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("currency_code", Text, nullable=False),
    Column("start_date", Date, nullable=False),
    Column("end_date", Date, nullable=False),
    Column("opening_minor", BigInteger, nullable=False),
    Column("closing_minor", BigInteger, nullable=False),
    Column("line_count", Integer, nullable=False),
    Column("content_hash", LargeBinary, nullable=False),
    Column("actor", Text, nullable=False),
    Column("import_time", DateTime(timezone=True), nullable=False),
)

bank_statement_lines = Table(
    "bank_statement_lines",
    metadata,
    Column("id", Text, primary_key=True),
    Column("statement_id", Text, nullable=False),
    Column("position", Text, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency_code", Text, nullable=False),
    Column("booking_date", Date, nullable=False),
    Column("value_date", Date, nullable=True),
    Column("is_reversal", Boolean, nullable=False),
    Column("bank_reference", Text, nullable=False),
    Column("counterparty", Text, nullable=False),
    Column("texts", Text, nullable=False),
)

bank_statement_matches = Table(
    "bank_statement_matches",
    metadata,
    Column("line_id", Text, primary_key=True),
    Column("payment_id", Text, nullable=False),
    Column("method", SmallInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("match_time", DateTime(timezone=True), nullable=False),
)

add_audit_records(metadata)
