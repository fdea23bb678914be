"""Wallets and transfers as the model takes them, and what a batch made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from wallet_svc.model.records import Transfer, TransferKind, Wallet, WalletStatus
from wallet_svc.model.transfers import Decision, decide_transfers

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
BALANCE_MINOR_MAX = 100_000


@pytest.fixture
def wallets() -> dict[str, Wallet]:
    """Alice and Bob with 1,000 dollars each, a shop, and the system's wallets."""

    def wallet(owner_id: str, balance_minor: int, currency_code: str = "USD") -> Wallet:
        return Wallet(
            id=f"wal_{owner_id}_{currency_code}",
            owner_id=owner_id,
            currency_code=currency_code,
            status=WalletStatus.ACTIVE,
            balance_minor=balance_minor,
            held_minor=0,
            last_entry_number=3,
            may_be_negative=owner_id.startswith("sys_"),
        )

    everybody = [
        wallet("usr_alice", 1_000),
        wallet("usr_bob", 1_000),
        wallet("mer_cafe", 0),
        wallet("usr_alice", 1_000, "EUR"),
        wallet("sys_bank", -3_000),
        wallet("sys_fees", 0),
    ]
    return {item.id: item for item in everybody}


@pytest.fixture
def make_transfer() -> Callable[..., Transfer]:
    """Builds a transfer of 10 dollars from Alice to Bob; keyword arguments replace fields."""
    usual = Transfer("pay_1", "wal_usr_alice_USD", "wal_usr_bob_USD", 10, "USD", TransferKind.SEND)

    def make(**changes: Any) -> Transfer:
        return msgspec.structs.replace(usual, **changes)

    return make


@pytest.fixture
def decide() -> Callable[..., Decision]:
    """``decide_transfers`` with nothing stored, at noon, under a limit of 100,000."""

    def decide(*transfers: Transfer, wallets: Mapping[str, Wallet], **changes: Any) -> Decision:
        arguments = {
            "stored": {},
            "execute_time": NOW,
            "balance_minor_max": BALANCE_MINOR_MAX,
            **changes,
        }
        return decide_transfers(transfers, wallets=wallets, **arguments)

    return decide
