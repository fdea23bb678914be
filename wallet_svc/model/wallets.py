"""When a wallet may be frozen, unfrozen and closed."""

from __future__ import annotations

from chassis.errors import InvalidArgument
from wallet_svc.errors import WalletClosed, WalletNotEmpty
from wallet_svc.model.records import SYSTEM_OWNER_PREFIX, Wallet, WalletStatus


def decide_status(wallet: Wallet, wanted: WalletStatus) -> WalletStatus:
    """The wallet's next status, ``wanted``, if it may have it; may be the one it has.

    Raises ``WalletClosed`` (closed is for ever), ``WalletNotEmpty`` (money would be locked in) and
    ``InvalidArgument`` (without its system wallets a currency could not be used any more).
    """
    if wanted is not WalletStatus.CLOSED:
        if wallet.status == WalletStatus.CLOSED:
            raise WalletClosed(wallet_id=wallet.id)
        return wanted
    if wallet.owner_id.startswith(SYSTEM_OWNER_PREFIX):
        raise InvalidArgument([("wallet_id", "must not be a wallet of the system")])
    if wallet.balance_minor != 0 or wallet.held_minor != 0:
        raise WalletNotEmpty(wallet_id=wallet.id)
    return WalletStatus.CLOSED
