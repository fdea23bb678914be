"""The tables of ledger_svc, as SQLAlchemy sees them. The migrations make them; a test compares."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, DateTime, MetaData, SmallInteger, Table, Text

metadata = MetaData()

accounts = Table(
    "accounts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("currency_code", Text, nullable=False),
    Column("debits_posted_minor", BigInteger, nullable=False),
    Column("credits_posted_minor", BigInteger, nullable=False),
)

journal_transactions = Table(
    "journal_transactions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("payment_id", Text, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("effective_time", DateTime(timezone=True), nullable=False),
    Column("book_time", DateTime(timezone=True), nullable=False),
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
    Column("transaction_id", Text, primary_key=True),
    Column("line", SmallInteger, primary_key=True),
    Column("account_id", Text, nullable=False),
    Column("direction", SmallInteger, nullable=False),
    Column("currency_code", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
)
