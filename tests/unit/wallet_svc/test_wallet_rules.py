"""When a wallet may be frozen, unfrozen and closed."""

from __future__ import annotations

import msgspec
import pytest

from chassis.errors import InvalidArgument, ServiceError
from wallet_svc.errors import WalletClosed, WalletNotEmpty
from wallet_svc.model.records import Wallet, WalletStatus
from wallet_svc.model.wallets import decide_status

ACTIVE, FROZEN, CLOSED = WalletStatus.ACTIVE, WalletStatus.FROZEN, WalletStatus.CLOSED
WALLET = Wallet("wal_1", "usr_1", "USD", ACTIVE, 0, 0, 0, False)


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        (ACTIVE, ACTIVE), (ACTIVE, FROZEN), (ACTIVE, CLOSED), (FROZEN, ACTIVE), (FROZEN, FROZEN),
        (FROZEN, CLOSED), (CLOSED, CLOSED),
    ],
)  # fmt: skip
def test_allowed(status: WalletStatus, wanted: WalletStatus) -> None:
    """Goal: every change there is for an empty wallet, repeats included."""
    assert decide_status(msgspec.structs.replace(WALLET, status=status), wanted) is wanted


@pytest.mark.parametrize(
    ("changes", "wanted", "error"),
    [
        ({"status": CLOSED}, ACTIVE, WalletClosed),
        ({"status": CLOSED}, FROZEN, WalletClosed),
        ({"balance_minor": 1}, CLOSED, WalletNotEmpty),
        ({"balance_minor": 1, "held_minor": 1}, CLOSED, WalletNotEmpty),
        ({"owner_id": "sys_bank"}, CLOSED, InvalidArgument),
    ],
)
def test_refused(
    changes: dict[str, object], wanted: WalletStatus, error: type[ServiceError]
) -> None:
    """Goal: closed is for ever, money is not locked in, a currency keeps its system wallets."""
    with pytest.raises(error):
        decide_status(msgspec.structs.replace(WALLET, **changes), wanted)
