"""The tables of payment_svc, as SQLAlchemy sees them. The migrations make them; a test compares."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Identity,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

from chassis.audit.tables import add_audit_records

metadata = MetaData()

payments = Table(
    "payments",
    metadata,
    Column("id", Text, primary_key=True),
    Column("caller_id", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("failure_code", Text),
    Column("payer_id", Text, nullable=False),
    Column("payer_name", Text, nullable=False),
    Column("payer_wallet_id", Text, nullable=False),
    Column("payee_id", Text, nullable=False),
    Column("payee_name", Text, nullable=False),
    Column("payee_wallet_id", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency_code", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("order_ref", Text, nullable=False),
    Column("barcode_issuance_id", Text),
    Column("traceparent", Text, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    Column("sweep_time", DateTime(timezone=True), nullable=False),
    Column("complete_time", DateTime(timezone=True)),
    Column("event_number", BigInteger),
    Column("payer_entry_number", BigInteger),
    Column("payee_entry_number", BigInteger),
    Column("queue_time", DateTime(timezone=True)),
    Column("try_time", DateTime(timezone=True)),
    Column("attempt", Integer),
    Column("result_time", DateTime(timezone=True)),
)

pending_payments = Table(
    "pending_payments",
    metadata,
    Column("payment_id", Text, primary_key=True),
    Column("sweep_time", DateTime(timezone=True), nullable=False),
)

payment_ends = Table(
    "payment_ends",
    metadata,
    Column("payment_id", Text, nullable=False),
    Column("complete_time", DateTime(timezone=True), nullable=False),
    Column("status", Text, nullable=False),
    Column("payer_id", Text, nullable=False),
    Column("payee_id", Text, nullable=False),
    Column("event_number", BigInteger),
)

payment_steps = Table(
    "payment_steps",
    metadata,
    Column("number", BigInteger, Identity(always=True), primary_key=True),
    Column("payment_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("queue_time", DateTime(timezone=True)),
    Column("start_time", DateTime(timezone=True), nullable=False),
    Column("end_time", DateTime(timezone=True), nullable=False),
    Column("reason", Text, nullable=False),
)

event_counter = Table(
    "event_counter",
    metadata,
    Column("one", Boolean, primary_key=True),
    Column("last_number", BigInteger, nullable=False),
)

bank_accounts = Table(
    "bank_accounts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner_id", Text, nullable=False),
    Column("holder", Text, nullable=False),
    Column("iban", Text, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("payment_id", Text),
    Column("subject", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("first_failure_time", DateTime(timezone=True), nullable=False),
    Column("last_failure_time", DateTime(timezone=True), nullable=False),
    Column("last_error", Text, nullable=False),
    Column("consumer", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("file_time", DateTime(timezone=True), nullable=False),
)

dead_letter_records = Table(
    "dead_letter_records",
    metadata,
    Column("number", BigInteger, Identity(always=True), primary_key=True),
    Column("dead_letter_id", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("time", DateTime(timezone=True), nullable=False),
)

add_audit_records(metadata)
