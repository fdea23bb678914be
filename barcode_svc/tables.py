"""The tables of the barcode database, as the migrations leave them.

The migrations make them, constraints and grants included; this is how the code names their columns.
A test compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    DateTime,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
)

METADATA = MetaData()


def _code(name: str) -> Column[str]:
    """An id or a code: text that is compared by bytes."""
    return Column(name, Text(collation="C"), nullable=False)


MERCHANTS = Table(
    "merchants",
    METADATA,
    _code("id"),
    Column("name", Text, nullable=False),
    Column("city", Text, nullable=False),
    _code("category_code"),
    _code("country_code"),
    _code("currency_code"),
    Column("create_time", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("id", name="pk_merchants"),
)
"""The shops that take QR payments."""

DEVICES = Table(
    "devices",
    METADATA,
    _code("id"),
    _code("owner_id"),
    Column("name", Text, nullable=False),
    Column("handle", BigInteger, nullable=False),
    _code("key_id"),
    Column("sealed_secret", LargeBinary, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    Column("expire_time", DateTime(timezone=True), nullable=False),
    Column("revoke_time", DateTime(timezone=True)),
    PrimaryKeyConstraint("id", name="pk_devices"),
)
"""Devices that may make codes offline, and those that might once."""

OFFLINE_USES = Table(
    "offline_uses",
    METADATA,
    _code("device_id"),
    Column("time_window", BigInteger, nullable=False),
    _code("owner_id"),
    _code("code_digest"),
    _code("redemption_token"),
    _code("merchant_id"),
    Column("amount_minor", BigInteger, nullable=False),
    _code("currency_code"),
    Column("use_time", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("device_id", "time_window", name="pk_offline_uses"),
)
"""What offline codes were used for: each window of a device once."""

OFFLINE_SPENDING = Table(
    "offline_spending",
    METADATA,
    _code("owner_id"),
    Column("day", Date, nullable=False),
    _code("currency_code"),
    Column("spent_minor", BigInteger, nullable=False),
    PrimaryKeyConstraint("owner_id", "day", "currency_code", name="pk_offline_spending"),
)
"""How much a person's offline codes were used for in a day."""
