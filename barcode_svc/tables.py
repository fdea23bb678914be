"""The tables of the barcode database, as the migrations leave them.

The migrations make them, constraints and grants included; this is how the code names their columns.
A test compares the two.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB

from chassis.audit.tables import add_audit_records

METADATA = MetaData()


def _code(name: str, *, nullable: bool = False) -> Column[str]:
    """An id or a code: text that is compared by bytes."""
    return Column(name, Text(collation="C"), nullable=nullable)


def _time(name: str, *, nullable: bool = False) -> Column[datetime]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


MERCHANTS = Table(
    "merchants",
    METADATA,
    _code("id"),
    Column("name", Text, nullable=False),
    Column("city", Text, nullable=False),
    _code("category_code"),
    _code("country_code"),
    _code("currency_code"),
    _time("create_time"),
    _code("language_code", nullable=True),
    Column("local_name", Text, nullable=True),
    Column("local_city", Text, nullable=True),
    Column("version", BigInteger, nullable=False),
    _time("close_time", nullable=True),
    _code("logo_sha256", nullable=True),
    Column("pilot", Boolean, nullable=False),
    PrimaryKeyConstraint("id", name="pk_merchants"),
)
"""The shops that take QR payments."""

PLACES = Table(
    "places",
    METADATA,
    _code("id"),
    _code("merchant_id"),
    _code("store_id", nullable=True),
    Column("name", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    _time("create_time"),
    _time("close_time", nullable=True),
    PrimaryKeyConstraint("id", name="pk_places"),
)
"""Their stores, and the terminals in them."""

LOGOS = Table(
    "logos",
    METADATA,
    _code("merchant_id"),
    _code("sha256"),
    _time("create_time"),
    PrimaryKeyConstraint("merchant_id", "sha256", name="pk_logos"),
)
"""Every logo that a merchant ever had."""

CREATIONS = Table(
    "creations",
    METADATA,
    _code("actor"),
    _code("request_id"),
    Column("fingerprint", LargeBinary, nullable=False),
    _code("subject_id"),
    _time("create_time"),
    PrimaryKeyConstraint("actor", "request_id", name="pk_creations"),
)
"""Which request made what."""

MERCHANT_CHANGES = Table(
    "merchant_changes",
    METADATA,
    _code("merchant_id"),
    Column("number", BigInteger, nullable=False),
    _time("change_time"),
    _code("actor"),
    _code("act"),
    _code("subject_id"),
    Column("fields", JSONB, nullable=False),
    PrimaryKeyConstraint("merchant_id", "number", name="pk_merchant_changes"),
)
"""Who did what, when. Only ever added to."""

QR_SERIALS = Table(
    "qr_serials",
    METADATA,
    _code("merchant_id"),
    _code("store_id"),
    Column("serial", Integer, nullable=False),
    Column("update_time", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("merchant_id", "store_id", name="pk_qr_serials"),
)
"""Which issue of a shop's static code is the current one; lower ones are revoked."""

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

add_audit_records(METADATA)
