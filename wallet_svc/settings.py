"""What the wallet process is told from outside."""

from __future__ import annotations

from typing import Annotated

import msgspec

from chassis.settings import PositiveInt, ProcessSettings, Secret
from wallet_svc.model.transfers import SYSTEM_BALANCE_MINOR_MAX


class WalletSettings(ProcessSettings, frozen=True, kw_only=True):
    """Settings of ``python -m wallet_svc``."""

    database_url: Secret
    """The wallet database, as the role ``wallet_svc``."""
    database_pool_size: PositiveInt = 8
    """Connections, for everything."""
    execute_concurrency_max: PositiveInt = 2
    """Batches of transfers that are executed at a time; others wait. Batches share wallets, those
    of the bank and of big shops at least, so many at once hold locks while they wait for each
    other's: 8 move half as much money as 1. The second works while the first commits."""
    balance_minor_max: Annotated[int, msgspec.Meta(ge=1, le=SYSTEM_BALANCE_MINOR_MAX)] = 10**15
    """What a customer's or merchant's wallet may hold at most, minor units."""
