"""What the wallet service remembers: owners, wallets, entries, transfers and their outcomes.

Amounts are integers in the minor unit of the currency beside them; times are aware datetimes.
The numbers of the enums are those of the contract (``qrpay.wallet.v1``, ``qrpay.type.v1``) and of
the database: one number means the same everywhere.
"""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum

import msgspec


class OwnerKind(IntEnum):
    """What an owner is."""

    CUSTOMER = 1
    MERCHANT = 2
    OPERATOR = 3
    SYSTEM = 4


class WalletStatus(IntEnum):
    """Whether a wallet may take part in transfers."""

    ACTIVE = 1
    FROZEN = 2
    CLOSED = 3


class TransferKind(IntEnum):
    """What moves the money."""

    SEND = 1
    PAY = 2
    WITHDRAW = 3
    TOP_UP = 4


class FailureCode(IntEnum):
    """Why a transfer failed for good. NONE is the contract's FAILURE_CODE_UNSPECIFIED.

    The contract's BANK_REJECTED is no decision of a wallet and therefore missing here.
    """

    NONE = 0
    INSUFFICIENT_FUNDS = 1
    WALLET_CLOSED = 2
    WALLET_FROZEN = 3
    LIMIT_EXCEEDED = 4
    CANCELLED = 6


BANK_OWNER_ID = "sys_bank"
"""Owns the bank clearing wallets: money that came from a bank is owed by them."""

SYSTEM_OWNER_IDS = (BANK_OWNER_ID, "sys_fees", "sys_suspense")
"""The owners that the first migration makes; nobody can make another."""

SYSTEM_OWNER_PREFIX = "sys_"

OWNER_ID_PREFIXES = {
    OwnerKind.CUSTOMER: "usr",
    OwnerKind.MERCHANT: "mer",
    OwnerKind.OPERATOR: "opr",
}
"""The first three letters of an owner's id, for the kinds that can be created."""


# gc=False: these hold only texts and numbers, so they cannot form cycles, and a batch makes
# thousands of them.
class Owner(msgspec.Struct, frozen=True, gc=False):
    """Somebody or something that holds wallets."""

    id: str
    kind: OwnerKind
    handle: str
    name: str
    create_time: datetime


class Wallet(msgspec.Struct, frozen=True, gc=False):
    """One balance in one currency. available = ``balance_minor - held_minor``."""

    id: str
    owner_id: str
    currency_code: str
    status: WalletStatus
    balance_minor: int
    held_minor: int
    last_entry_number: int
    may_be_negative: bool


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One numbered line of a wallet; ``amount_minor`` is negative for a debit."""

    number: int
    payment_id: str
    amount_minor: int
    balance_after_minor: int
    create_time: datetime
    counterparty_id: str
    counterparty_name: str
    kind: TransferKind


class Transfer(msgspec.Struct, frozen=True, gc=False):
    """One movement of money, asked for. ``amount_minor`` is positive. Equal if all of it is."""

    payment_id: str
    debit_wallet_id: str
    credit_wallet_id: str
    amount_minor: int
    currency_code: str
    kind: TransferKind


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """What became of a transfer, for ever. The entry numbers are 0 if it failed."""

    transfer: Transfer
    failure_code: FailureCode
    debit_entry_number: int
    credit_entry_number: int
    execute_time: datetime


class NewOutcome(msgspec.Struct, frozen=True, gc=False):
    """An outcome decided just now, with what its two entries say; both 0 if it failed."""

    outcome: Outcome
    debit_balance_after_minor: int
    credit_balance_after_minor: int
