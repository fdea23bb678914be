"""The tables of the wallet database, as the migrations leave them.

The migrations make them; this is how the code names their columns. A test compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from chassis.audit.tables import add_audit_records

METADATA = MetaData()

_BYTES = "C"  # the collation that compares bytes


def _code(name: str, *, nullable: bool = False) -> Column[str]:
    """An id or a code: text that is compared by bytes."""
    return Column(name, Text(collation=_BYTES), nullable=nullable)


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


def _enum(name: str) -> Column[int]:
    """A number of an enum of the contract."""
    return Column(name, SmallInteger, nullable=False)


OWNERS = Table(
    "owners",
    METADATA,
    _code("id"),
    _enum("kind"),
    _code("handle"),
    Column("name", Text, nullable=False),
    _code("request_id", nullable=True),
    Column("request_fingerprint", LargeBinary, nullable=True),
    Column("create_time", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("id", name="pk_owners"),
    UniqueConstraint("handle", name="uq_owners_handle"),
    UniqueConstraint("request_id", name="uq_owners_request_id"),
    CheckConstraint(
        "(kind = 1 AND starts_with(id, 'usr_')) OR (kind = 2 AND starts_with(id, 'mer_')) "
        "OR (kind = 3 AND starts_with(id, 'opr_')) "
        "OR (kind = 4 AND id IN ('sys_bank', 'sys_fees', 'sys_suspense'))",
        name="ck_owners_kind",
    ),
    CheckConstraint(
        "(kind = 4) = (request_id IS NULL) AND (kind = 4) = (request_fingerprint IS NULL)",
        name="ck_owners_request",
    ),
)
"""Who holds wallets."""

WALLETS = Table(
    "wallets",
    METADATA,
    _code("id"),
    _code("owner_id"),
    _code("currency_code"),
    Column("status", SmallInteger, nullable=False, server_default=text("1")),
    Column("balance_minor", BigInteger, nullable=False, server_default=text("0")),
    Column("held_minor", BigInteger, nullable=False, server_default=text("0")),
    Column("last_entry_number", BigInteger, nullable=False, server_default=text("0")),
    Column("may_be_negative", Boolean, nullable=False, server_default=false()),
    PrimaryKeyConstraint("id", name="pk_wallets"),
    UniqueConstraint("owner_id", "currency_code", name="uq_wallets_owner_currency"),
    ForeignKeyConstraint(["owner_id"], ["owners.id"], name="fk_wallets_owner"),
    CheckConstraint("status BETWEEN 1 AND 3", name="ck_wallets_status"),
    CheckConstraint(
        "may_be_negative OR balance_minor - held_minor >= 0", name="ck_wallets_available"
    ),
    CheckConstraint("held_minor >= 0", name="ck_wallets_held"),
    CheckConstraint("last_entry_number >= 0", name="ck_wallets_last_entry_number"),
    CheckConstraint(
        "may_be_negative = starts_with(owner_id, 'sys_')", name="ck_wallets_may_be_negative"
    ),
    postgresql_with={"fillfactor": 50},
)
"""One balance per owner and currency."""

TRANSFERS = Table(
    "transfers",
    METADATA,
    _code("payment_id"),
    _code("debit_wallet_id"),
    _code("credit_wallet_id"),
    _number("amount_minor"),
    _code("currency_code"),
    _enum("kind"),
    _enum("failure_code"),
    _number("debit_entry_number"),
    _number("credit_entry_number"),
    Column("execute_time", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("payment_id", name="pk_transfers"),
    CheckConstraint("debit_wallet_id <> credit_wallet_id", name="ck_transfers_wallets"),
    CheckConstraint("amount_minor > 0", name="ck_transfers_amount"),
    CheckConstraint("kind BETWEEN 1 AND 4", name="ck_transfers_kind"),
    CheckConstraint(
        "(failure_code = 0 AND debit_entry_number > 0 AND credit_entry_number > 0) "
        "OR (failure_code BETWEEN 1 AND 6 AND debit_entry_number = 0 AND credit_entry_number = 0)",
        name="ck_transfers_outcome",
    ),
)
"""What became of each payment; append-only."""

ENTRIES = Table(
    "entries",
    METADATA,
    _code("wallet_id"),
    _number("number"),
    _code("payment_id"),
    _number("amount_minor"),
    _number("balance_after_minor"),
    _code("counterparty_wallet_id"),
    _enum("kind"),
    Column("create_time", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("wallet_id", "number", name="pk_entries"),
    CheckConstraint("number >= 1", name="ck_entries_number"),
    CheckConstraint("amount_minor <> 0", name="ck_entries_amount"),
    CheckConstraint("wallet_id <> counterparty_wallet_id", name="ck_entries_wallets"),
    CheckConstraint("kind BETWEEN 1 AND 4", name="ck_entries_kind"),
    Index(
        "ix_entries_payment_time",
        "payment_id",
        "create_time",
        postgresql_using="brin",
        postgresql_with={"pages_per_range": 32, "autosummarize": "on"},
    ),
)
"""The numbered lines of each wallet; append-only."""

add_audit_records(METADATA)
