"""Who the sides of a payment are: asks wallet for many at a time, and remembers for a moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from cachetools import TTLCache

from chassis.channel import call
from chassis.errors import ServiceError, from_item_error
from payment_svc.model import OwnerKind, Party
from qrpay.wallet.v1 import wallet_pb2, wallet_pb2_grpc

_REFERENCES_MAX = 512
"""ResolveWallets takes no more."""

_OWNER_KINDS: Mapping[int, OwnerKind] = {
    wallet_pb2.OWNER_KIND_CUSTOMER: OwnerKind.CUSTOMER,
    wallet_pb2.OWNER_KIND_MERCHANT: OwnerKind.MERCHANT,
    wallet_pb2.OWNER_KIND_OPERATOR: OwnerKind.OPERATOR,
    wallet_pb2.OWNER_KIND_SYSTEM: OwnerKind.SYSTEM,
}


class Reference(NamedTuple):
    """An owner or a wallet as people name it, and the currency it is wanted in."""

    name: str
    """A handle, an owner id or a wallet id."""
    currency_code: str


class Parties:
    """Finds the sides of payments."""

    def __init__(
        self,
        *,
        wallets: wallet_pb2_grpc.WalletServiceStub,
        call_seconds_max: float,
        cache_seconds: float,
        cache_entries_max: int,
        timer: Callable[[], float],
    ) -> None:
        self._wallets = wallets
        self._call_seconds_max = call_seconds_max
        self._known: TTLCache[Reference, Party] = TTLCache(
            maxsize=cache_entries_max, ttl=cache_seconds, timer=timer
        )

    async def find(self, references: Iterable[Reference]) -> dict[Reference, Party | None]:
        """The party that each reference means; None if there is nobody of that name.

        A party without a wallet in the currency has an empty wallet id. Raises ``Unavailable`` or
        ``DeadlineExceeded`` if wallet does not answer.
        """
        found: dict[Reference, Party | None] = {}
        unknown = []
        for reference in references:
            party = self._known.get(reference)
            if party is None:
                unknown.append(reference)
            else:
                found[reference] = party
        for start in range(0, len(unknown), _REFERENCES_MAX):
            found |= await self._ask(unknown[start : start + _REFERENCES_MAX])
        return found

    async def _ask(self, references: list[Reference]) -> dict[Reference, Party | None]:
        response = await call(
            self._wallets.ResolveWallets,
            wallet_pb2.ResolveWalletsRequest(
                references=[
                    wallet_pb2.WalletReference(
                        reference=reference.name, currency_code=reference.currency_code
                    )
                    for reference in references
                ]
            ),
            timeout_seconds=self._call_seconds_max,
        )
        answers = {
            reference: _party(result)
            for reference, result in zip(references, response.results, strict=True)
        }
        # Only what exists is remembered: somebody who signs up is found at once.
        self._known.update({reference: party for reference, party in answers.items() if party})
        return answers


def _party(result: wallet_pb2.ResolvedWallet) -> Party | None:
    if not result.HasField("owner"):
        error = from_item_error(result.error)
        if error.reason != "OWNER_NOT_FOUND":
            raise error
        return None
    kind = _OWNER_KINDS.get(result.owner.kind)
    if kind is None:
        raise ServiceError(f"wallet answered an owner of unknown kind {result.owner.kind}")
    return Party(
        owner_id=result.owner.id,
        owner_kind=kind,
        name=result.owner.name,
        wallet_id=result.wallet.id,
        closed=result.wallet.status == wallet_pb2.WALLET_STATUS_CLOSED,
    )
