"""The use cases around a merchant's stores and terminals: each one transaction, or one read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from barcode_svc import merchant_model, model
from barcode_svc.errors import MerchantNotFound, PlaceLimitReached, RequestIdReused, StoreNotFound
from barcode_svc.merchant_model import PREFIXES, Change, Place, PlaceKind, fingerprint
from barcode_svc.merchants import Merchants
from barcode_svc.store import history
from barcode_svc.store import merchants as merchant_store
from barcode_svc.store import places as store
from barcode_svc.store.history import Creation
from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import InvalidArgument
from chassis.ids import IdMaker


class Places:
    """Stores and terminals; a merchant has at most ``places_max`` of each, closed ones included."""

    def __init__(
        self,
        *,
        database: Database,
        merchants: Merchants,
        clock: Clock,
        ids: IdMaker,
        places_max: int,
    ) -> None:
        self._database = database
        self._merchants = merchants
        self._clock = clock
        self._ids = ids
        self._places_max = places_max

    async def add(
        self,
        merchant_id: str,
        kind: PlaceKind,
        *,
        name: str,
        store_id: str,
        request_id: str,
        actor: str,
    ) -> tuple[Place, bool]:
        """Add a place, or find the one that this request added; and whether it was there before.

        Raises ``InvalidArgument``, ``MerchantNotFound``, ``MerchantClosed``, ``StoreNotFound``,
        ``StoreClosed``, ``PlaceLimitReached``, ``RequestIdReused``, ``Unavailable``.
        """
        merchant_model.check_person(actor, request_id)
        merchant_model.check_place_name(name)
        if bool(store_id) != (kind == "terminal"):
            raise InvalidArgument([("store_id", "is required for a terminal, and only for it")])
        if not model.is_merchant_id(merchant_id):
            raise MerchantNotFound
        if store_id and not merchant_model.is_place_id(store_id):
            raise StoreNotFound
        place = Place(
            id=self._ids.make(PREFIXES[kind]),
            merchant_id=merchant_id,
            store_id=store_id,
            name=name,
        )
        creation = Creation(
            actor, request_id, fingerprint("add", kind, merchant_id, store_id, name), place.id
        )
        now = self._clock.now()

        async def work(connection: AsyncConnection) -> tuple[Place, bool]:
            earlier = await history.claim(connection, creation, create_time=now)
            if earlier is not None:
                if earlier.fingerprint != creation.fingerprint:
                    raise RequestIdReused
                known = await store.read_place(connection, merchant_id, earlier.subject_id)
                assert known is not None, "made with its request id, never removed"
                return known, True
            await self._check_room(connection, place)
            await store.insert_place(connection, place, create_time=now)
            fields = {"name": name} | ({"store_id": store_id} if store_id else {})
            await self._note(connection, place, "added", actor=actor, fields=fields)
            return place, False

        return await self._database.transaction(work)

    async def list_places(
        self, merchant_id: str, kind: PlaceKind, *, store_id: str, after_id: str, count_max: int
    ) -> Sequence[Place]:
        """A merchant's places of a kind after an id (empty: from the start), oldest first.

        Raises ``MerchantNotFound``, ``Unavailable``.
        """
        await self._merchants.get(merchant_id)
        if store_id and not merchant_model.is_place_id(store_id):
            return []
        return await self._database.read(
            lambda connection: store.select_places(
                connection,
                merchant_id,
                kind,
                store_id=store_id,
                after_id=after_id,
                count_max=count_max,
            )
        )

    async def rename(
        self, merchant_id: str, place_id: str, *, name: str, version: int, actor: str
    ) -> Place:
        """Give a place another name. ``version`` as in ``Merchants.update``.

        Raises ``InvalidArgument``, ``StoreNotFound``, ``TerminalNotFound``, ``VersionMismatch``,
        ``StoreClosed``, ``TerminalClosed``, ``Unavailable``.
        """
        merchant_model.check_person(actor)
        merchant_model.check_place_name(name)
        _check_ids(merchant_id, place_id)

        async def work(connection: AsyncConnection) -> Place:
            known = await _locked(connection, merchant_id, place_id)
            merchant_model.check_editable(known, version=version)
            if known.name == name:
                return known
            after = replace(known, name=name, version=known.version + 1)
            await store.rename_place(connection, after)
            await self._note(connection, after, "renamed", actor=actor, fields={"name": name})
            return after

        return await self._database.transaction(work)

    async def close(self, merchant_id: str, place_id: str, *, actor: str) -> Place:
        """Close a place for good, a store with its terminals.

        Raises ``InvalidArgument``, ``StoreNotFound``, ``TerminalNotFound``, ``Unavailable``.
        """
        merchant_model.check_person(actor)
        _check_ids(merchant_id, place_id)

        async def work(connection: AsyncConnection) -> Place:
            known = await _locked(connection, merchant_id, place_id)
            if known.closed:
                return known
            for closed_id in await store.close_places(
                connection, known, close_time=self._clock.now()
            ):
                closed = (
                    known
                    if closed_id == known.id
                    else replace(known, id=closed_id, store_id=known.id)
                )
                await self._note(connection, closed, "closed", actor=actor, fields={})
            return replace(known, closed=True, version=known.version + 1)

        return await self._database.transaction(work)

    async def _check_room(self, connection: AsyncConnection, place: Place) -> None:
        merchant = await merchant_store.lock_merchant(connection, place.merchant_id)
        if merchant is None:
            raise MerchantNotFound
        merchant_model.check_editable(merchant, version=0)
        if place.store_id:
            home = await store.read_place(connection, place.merchant_id, place.store_id)
            if home is None or home.kind != "store":
                raise StoreNotFound
            merchant_model.check_editable(home, version=0)
        count = await store.count_places(connection, place.merchant_id, place.kind)
        if count >= self._places_max:
            raise PlaceLimitReached(places_max=str(self._places_max))

    async def _note(
        self,
        connection: AsyncConnection,
        place: Place,
        act: str,
        *,
        actor: str,
        fields: dict[str, str],
    ) -> None:
        await self._merchants.note(
            connection,
            Change(
                merchant_id=place.merchant_id,
                actor=actor,
                act=f"{place.kind}.{act}",
                subject_id=place.id,
                fields=fields,
            ),
        )


def _check_ids(merchant_id: str, place_id: str) -> None:
    """No place has any other id, or another kind of merchant; PostgreSQL need not be asked."""
    if not (model.is_merchant_id(merchant_id) and merchant_model.is_place_id(place_id)):
        raise merchant_model.missing(place_id)


async def _locked(connection: AsyncConnection, merchant_id: str, place_id: str) -> Place:
    """A place, with its merchant locked as well: the merchant's history is written line by line,
    and nobody adds a terminal to a store that is being closed."""
    # Always the merchant first: nobody waits in a circle.
    await merchant_store.lock_merchant(connection, merchant_id)
    place = await store.read_place(connection, merchant_id, place_id)
    if place is None:
        raise merchant_model.missing(place_id)
    return place
