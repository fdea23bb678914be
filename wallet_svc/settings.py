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
    """Connections. More of them do not move money faster: one executes 256 transfers at a time."""
    balance_minor_max: Annotated[int, msgspec.Meta(ge=1, le=SYSTEM_BALANCE_MINOR_MAX)] = 10**15
    """What a customer's or merchant's wallet may hold at most, minor units."""
