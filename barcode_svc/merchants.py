"""The use cases around a merchant's record: each one transaction, or one read.

Every change locks the merchant or the place first, checks the version that it was made for, and
writes its line of history in the same transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from barcode_svc import merchant_model, model
from barcode_svc.errors import MerchantExists, MerchantNotFound, RequestIdReused
from barcode_svc.merchant_model import Change, fingerprint
from barcode_svc.model import Merchant
from barcode_svc.store import history
from barcode_svc.store import merchants as store
from barcode_svc.store.history import Creation, StoredChange
from chassis.clock import Clock
from chassis.database import Database

PILOTS_MAX = 1_000
"""Merchants that can be pilots at a time."""


class Merchants:
    """The records of merchants."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def register(
        self, merchant: Merchant, *, request_id: str, actor: str
    ) -> tuple[Merchant, bool]:
        """Register a merchant, or find the one that this request registered; and whether it was
        there before. The same content under another request id is the same merchant, too.

        Raises ``InvalidArgument``, ``MerchantExists`` (other content), ``RequestIdReused``,
        ``Unavailable``.
        """
        merchant_model.check_person(actor, request_id)
        merchant = merchant_model.normalized(merchant)
        merchant_model.check_merchant(merchant)
        content = merchant_model.content_of(merchant)
        creation = Creation(
            actor, request_id, fingerprint("register", merchant.id, content), merchant.id
        )
        now = self._clock.now()

        async def work(connection: AsyncConnection) -> tuple[Merchant, bool]:
            earlier = await history.claim(connection, creation, create_time=now)
            if earlier is not None:
                if earlier.fingerprint != creation.fingerprint:
                    raise RequestIdReused
                return await _stored(connection, merchant.id), True
            if not await store.insert_merchant(connection, merchant, create_time=now):
                # The one in our way is committed: the insert waited for it.
                known = await _stored(connection, merchant.id)
                if not merchant_model.same_content(known, merchant):
                    raise MerchantExists
                return known, True
            await self.note(
                connection,
                Change(
                    merchant_id=merchant.id,
                    actor=actor,
                    act="merchant.registered",
                    subject_id=merchant.id,
                    fields=content,
                ),
            )
            return merchant, False

        return await self._database.transaction(work)

    async def get(self, merchant_id: str) -> Merchant:
        """Read a merchant. Raises ``MerchantNotFound``, ``Unavailable``."""
        # What no merchant could be called is not asked for.
        if not model.is_merchant_id(merchant_id):
            raise MerchantNotFound
        return await self._database.read(lambda connection: _stored(connection, merchant_id))

    async def update(
        self, wanted: Merchant, *, fields: Collection[str], version: int, actor: str
    ) -> Merchant:
        """Change the named fields of a merchant to those of ``wanted``.

        ``version``: what the change was made for; 0: whatever is there. A change that changes
        nothing is no change. Raises ``InvalidArgument``, ``MerchantNotFound``,
        ``VersionMismatch``, ``MerchantClosed``, ``Unavailable``.
        """

        def change(known: Merchant) -> Merchant:
            merchant_model.check_editable(known, version=version)
            return merchant_model.updated(known, wanted, fields=fields)

        return await self._change(wanted.id, change, actor=actor, act="merchant.updated")

    async def close(self, merchant_id: str, *, actor: str) -> Merchant:
        """Close a merchant for good. Raises ``InvalidArgument``, ``MerchantNotFound``,
        ``Unavailable``."""

        def change(known: Merchant) -> Merchant:
            return replace(known, closed=True)

        return await self._change(merchant_id, change, actor=actor, act="merchant.closed")

    async def set_pilot(self, merchant_id: str, *, pilot: bool, actor: str) -> Merchant:
        """Send a merchant's payments to the next version first, or no longer. Raises
        ``InvalidArgument``, ``MerchantNotFound``, ``MerchantClosed``, ``Unavailable``."""

        def change(known: Merchant) -> Merchant:
            merchant_model.check_editable(known, version=0)
            return replace(known, pilot=pilot)

        return await self._change(merchant_id, change, actor=actor, act="merchant.updated")

    async def pilots(self) -> Sequence[str]:
        """The ids of open merchants that are pilots. Raises ``Unavailable``."""
        return await self._database.read(
            lambda connection: store.select_pilots(connection, count_max=PILOTS_MAX)
        )

    async def set_logo(self, merchant_id: str, sha256: str, *, actor: str) -> Merchant:
        """Make a stored picture a merchant's logo. Raises ``InvalidArgument``,
        ``MerchantNotFound``, ``MerchantClosed``, ``Unavailable``."""

        def change(known: Merchant) -> Merchant:
            merchant_model.check_editable(known, version=0)
            return replace(known, logo_sha256=sha256)

        return await self._change(merchant_id, change, actor=actor, act="logo.changed")

    async def has_logo(self, merchant_id: str, sha256: str) -> bool:
        """Whether a merchant has or had this logo. Raises ``Unavailable``."""
        return await self._database.read(
            lambda connection: store.has_logo(connection, merchant_id, sha256)
        )

    async def changes(
        self, merchant_id: str, *, before_number: int, count_max: int
    ) -> Sequence[StoredChange]:
        """A merchant's history before a number (0: from the end), newest first.

        Raises ``MerchantNotFound``, ``Unavailable``.
        """
        await self.get(merchant_id)
        return await self._database.read(
            lambda connection: history.select_changes(
                connection, merchant_id, before_number=before_number, count_max=count_max
            )
        )

    async def note(self, connection: AsyncConnection, change: Change) -> None:
        """Write a line of history in the caller's transaction, which has locked the merchant."""
        await history.insert_change(connection, change, change_time=self._clock.now())

    async def _change(
        self,
        merchant_id: str,
        change: Callable[[Merchant], Merchant],
        *,
        actor: str,
        act: str,
    ) -> Merchant:
        merchant_model.check_person(actor)
        if not model.is_merchant_id(merchant_id):
            raise MerchantNotFound

        async def work(connection: AsyncConnection) -> Merchant:
            known = await store.lock_merchant(connection, merchant_id)
            if known is None:
                raise MerchantNotFound
            after = change(known)
            if after == known:
                return known
            after = replace(after, version=known.version + 1)
            now = self._clock.now()
            closes = after.closed and not known.closed
            await store.update_merchant(connection, after, closed_at=now if closes else None)
            fields = merchant_model.changed_fields(known, after)
            if after.logo_sha256 != known.logo_sha256:
                await store.insert_logo(connection, merchant_id, after.logo_sha256, create_time=now)
                fields["logo_sha256"] = after.logo_sha256
            if after.pilot != known.pilot:
                fields["pilot"] = "true" if after.pilot else "false"
            await self.note(
                connection,
                Change(
                    merchant_id=merchant_id,
                    actor=actor,
                    act=act,
                    subject_id=merchant_id,
                    fields=fields,
                ),
            )
            return after

        return await self._database.transaction(work)


async def _stored(connection: AsyncConnection, merchant_id: str) -> Merchant:
    merchants = await store.select_merchants(connection, [merchant_id])
    if merchant_id not in merchants:
        raise MerchantNotFound
    return merchants[merchant_id]
