"""Merchants, stores and terminals in PostgreSQL: edited by many, repeated, closed, written down."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable
from typing import Any

import pytest

from barcode_svc import model, operations
from barcode_svc.drawing import Draughtsman, QrFormat
from barcode_svc.errors import (
    MerchantClosed,
    MerchantExists,
    MerchantNotFound,
    PlaceLimitReached,
    RequestIdReused,
    StoreClosed,
    StoreNotFound,
    TerminalNotFound,
    VersionMismatch,
)
from barcode_svc.merchant_model import Place, PlaceKind
from barcode_svc.merchants import Merchants
from barcode_svc.model import LocalName, Merchant, PaymentRequest
from barcode_svc.operations import WantedQr
from barcode_svc.places import Places
from chassis.clock import SystemClock
from chassis.database import Database
from chassis.errors import InvalidArgument
from chassis.ids import IdMaker
from tests.integration.barcode_svc.signers import SIGNER
from tests.integration.barcode_svc.test_merchants import NOW

CAFE = Merchant(
    id="mer_01JD3Q9V7N8R4T2W6X0YZABCDE",
    name="Cafe Aurora",
    city="Lisbon",
    category_code="5814",
    country_code="PT",
    currency_code="EUR",
    local=LocalName(language_code="ja", name="月のカフェ", city=""),
)
OTHER = dataclasses.replace(CAFE, id="mer_other", local=None)


@pytest.fixture
async def cafe(merchants: Merchants) -> Merchant:
    """A merchant that is registered."""
    registered, _ = await merchants.register(CAFE, request_id="cafe", actor="opr_1")
    return registered


@pytest.fixture
def places(database: Database, merchants: Merchants) -> Places:
    """Stores and terminals, three of each at most."""
    clock = SystemClock()
    return Places(
        database=database,
        merchants=merchants,
        clock=clock,
        ids=IdMaker(clock=clock),
        places_max=3,
    )


def rename(merchants: Merchants, name: str, version: int) -> Awaitable[Merchant]:
    """Give the cafe another name."""
    wanted = dataclasses.replace(CAFE, name=name)
    return merchants.update(wanted, fields={"name"}, version=version, actor=CAFE.id)


async def add(
    places: Places, kind: PlaceKind, *, store_id: str = "", **changes: str
) -> tuple[Place, bool]:
    """Add a place to the cafe."""
    named = {"name": "Harbour", "request_id": f"{kind} {changes}", "actor": "opr_1", **changes}
    merchant_id = named.pop("merchant_id", CAFE.id)
    return await places.add(merchant_id, kind, store_id=store_id, **named)


async def acts(merchants: Merchants) -> list[tuple[str, str, dict[str, str]]]:
    """The cafe's history, oldest first."""
    rows = await merchants.changes(CAFE.id, before_number=0, count_max=100)
    return [(row.act, row.actor, row.fields) for row in reversed(rows)]


async def test_everything_is_kept(merchants: Merchants, cafe: Merchant) -> None:
    """Goal: the local name is read as it was written."""
    assert await merchants.get(CAFE.id) == cafe == CAFE


async def test_a_request_is_repeated(merchants: Merchants, cafe: Merchant) -> None:
    """Goal: the same request id answers with the merchant as it is now, also after a rename; other
    content under it is refused, and so is the old content as a new request."""
    await rename(merchants, "Luna", 1)
    again, replayed = await merchants.register(CAFE, request_id="cafe", actor="opr_1")
    assert (again.name, again.version, replayed) == ("Luna", 2, True)
    with pytest.raises(RequestIdReused):
        await merchants.register(OTHER, request_id="cafe", actor="opr_1")
    with pytest.raises(MerchantExists):
        await merchants.register(CAFE, request_id="new", actor="opr_1")
    with pytest.raises(MerchantExists):  # a request id is its actor's own
        await merchants.register(CAFE, request_id="cafe", actor="opr_2")
    with pytest.raises(MerchantNotFound):
        await merchants.get(OTHER.id)


async def test_a_refused_request_leaves_its_id_free(merchants: Merchants, cafe: Merchant) -> None:
    """Goal: what was not done is not remembered as done."""
    with pytest.raises(MerchantExists):
        await merchants.register(
            dataclasses.replace(CAFE, name="X"), request_id="two", actor="opr_1"
        )
    _, replayed = await merchants.register(OTHER, request_id="two", actor="opr_1")
    assert not replayed


async def test_one_request_sent_many_times_at_once(merchants: Merchants) -> None:
    """Goal: sixteen copies register once, and the history says so once."""
    answers = await asyncio.gather(
        *(merchants.register(CAFE, request_id="one", actor="opr_1") for _ in range(16))
    )
    assert sorted(replayed for _, replayed in answers) == [False] + [True] * 15
    assert [act for act, _, _ in await acts(merchants)] == ["merchant.registered"]


async def test_of_many_edits_of_a_version_one_is_made(merchants: Merchants, cafe: Merchant) -> None:
    """Goal: nobody overwrites what he has not seen, however many edit at once."""
    for version in range(1, 6):  # the first rounds open the connections
        answers = await asyncio.gather(
            *(rename(merchants, f"Cafe {version} {number}", version) for number in range(8)),
            return_exceptions=True,
        )
        made = [answer for answer in answers if isinstance(answer, Merchant)]
        assert sum(isinstance(answer, VersionMismatch) for answer in answers) == 7
        assert [await merchants.get(CAFE.id)] == made
        assert made[0].version == version + 1


async def test_a_change_of_nothing_is_none(merchants: Merchants, cafe: Merchant) -> None:
    """Goal: version and history stay if nothing differs."""
    assert await rename(merchants, CAFE.name, 1) == cafe
    assert len(await acts(merchants)) == 1


async def test_codes_printed_before_a_rename_are_payable(
    database: Database, merchants: Merchants, cafe: Merchant
) -> None:
    """Goal: an old sticker pays the same merchant and shows its new name; new ones say it."""
    old = SIGNER.write(model.qr_of(cafe, requested=None, reference=""))
    renamed = await rename(merchants, "Luna", 1)
    [decoded] = await operations.decode_qrs(database, SIGNER, [old], now=NOW)
    assert isinstance(decoded, PaymentRequest)
    assert decoded.merchant == renamed
    new = SIGNER.write(model.qr_of(renamed, requested=None, reference=""))
    assert "Luna" in new
    assert "Luna" not in old


async def test_a_closed_merchant(
    database: Database, merchants: Merchants, places: Places, cafe: Merchant
) -> None:
    """Goal: its codes are neither paid nor made, nothing of it changes any more, it is still read,
    and closing again changes nothing."""
    text = SIGNER.write(model.qr_of(cafe, requested=None, reference=""))
    closed = await merchants.close(CAFE.id, actor="opr_1")
    assert (closed.closed, closed.version) == (True, 2)
    assert await merchants.close(CAFE.id, actor="opr_2") == closed
    assert await merchants.get(CAFE.id) == closed
    [decoded] = await operations.decode_qrs(database, SIGNER, [text], now=NOW)
    assert isinstance(decoded, MerchantClosed)
    with pytest.raises(MerchantClosed):
        await operations.render_merchant_qr(
            database,
            Draughtsman(),
            SIGNER,
            wanted=WantedQr(merchant_id=CAFE.id),
            form=QrFormat.TEXT,
            now=NOW,
        )
    with pytest.raises(MerchantClosed):
        await rename(merchants, "Luna", 2)
    with pytest.raises(MerchantClosed):
        await merchants.set_logo(CAFE.id, "0" * 64, actor="opr_1")
    with pytest.raises(MerchantClosed):
        await add(places, "store")
    assert [act for act, _, _ in await acts(merchants)] == [
        "merchant.registered",
        "merchant.closed",
    ]


async def test_a_closed_merchant_is_no_pilot(merchants: Merchants, cafe: Merchant) -> None:
    """It leaves the list when it closes, and cannot become one afterwards."""
    await merchants.register(OTHER, request_id="other", actor="opr_1")
    for merchant in (OTHER, CAFE):
        await merchants.set_pilot(merchant.id, pilot=True, actor="opr_1")
    assert await merchants.pilots() == [CAFE.id, OTHER.id]
    await merchants.close(CAFE.id, actor="opr_1")
    assert await merchants.pilots() == [OTHER.id]
    with pytest.raises(MerchantClosed):
        await merchants.set_pilot(CAFE.id, pilot=False, actor="opr_1")
    with pytest.raises(MerchantNotFound):
        await merchants.set_pilot("mer_nobody", pilot=True, actor="opr_1")


async def test_the_history_tells_everything(
    merchants: Merchants, places: Places, cafe: Merchant
) -> None:
    """Goal: who did what, in order, with what it became."""
    await rename(merchants, "Luna", 1)
    store, _ = await add(places, "store", actor="opr_2")
    await add(places, "terminal", store_id=store.id, name="Till 1")
    await places.rename(CAFE.id, store.id, name="Quay", version=1, actor="opr_2")
    await places.close(CAFE.id, store.id, actor="opr_3")
    await merchants.set_logo(CAFE.id, "ab" * 32, actor=CAFE.id)
    assert (await acts(merchants))[1:] == [
        ("merchant.updated", CAFE.id, {"name": "Luna"}),
        ("store.added", "opr_2", {"name": "Harbour"}),
        ("terminal.added", "opr_1", {"name": "Till 1", "store_id": store.id}),
        ("store.renamed", "opr_2", {"name": "Quay"}),
        ("store.closed", "opr_3", {}),
        ("terminal.closed", "opr_3", {}),
        ("logo.changed", CAFE.id, {"logo_sha256": "ab" * 32}),
    ]
    rows = await merchants.changes(CAFE.id, before_number=0, count_max=100)
    page = await merchants.changes(CAFE.id, before_number=rows[2].number, count_max=2)
    assert page == rows[3:5]
    assert [row.number for row in rows] == [8, 7, 6, 5, 4, 3, 2, 1]


async def test_a_place_is_added_once(places: Places, cafe: Merchant) -> None:
    """Goal: sixteen copies of a request make one store; other content under its id is refused."""
    answers = await asyncio.gather(*(add(places, "store", request_id="one") for _ in range(16)))
    assert len({place.id for place, _ in answers}) == 1
    assert sum(not replayed for _, replayed in answers) == 1
    for changes in ({"name": "Other"}, {"merchant_id": OTHER.id}):
        with pytest.raises(RequestIdReused):
            await add(places, "store", **{"request_id": "one", **changes})


async def test_a_merchant_has_so_many_places(places: Places, cafe: Merchant) -> None:
    """Goal: the limit holds against many at once, each kind by itself; closing makes no room."""
    answers = await asyncio.gather(
        *(add(places, "store", request_id=f"store {number}") for number in range(8)),
        return_exceptions=True,
    )
    stores = [answer[0] for answer in answers if not isinstance(answer, BaseException)]
    assert len(stores) == 3
    assert sum(isinstance(answer, PlaceLimitReached) for answer in answers) == 5
    await add(places, "terminal", store_id=stores[0].id)
    await places.close(CAFE.id, stores[1].id, actor="opr_1")
    with pytest.raises(PlaceLimitReached):
        await add(places, "store", request_id="again")


async def test_places_are_listed_in_pages(places: Places, cafe: Merchant) -> None:
    """Goal: oldest first, each kind by itself, terminals by store, closed ones too."""
    stores = [(await add(places, "store", request_id=f"{number}"))[0] for number in range(3)]
    tills = [
        (await add(places, "terminal", store_id=store.id, request_id=store.id))[0]
        for store in stores[:2]
    ]
    await places.close(CAFE.id, tills[1].id, actor="opr_1")

    async def page(kind: PlaceKind, **changes: Any) -> list[str]:
        named = {"store_id": "", "after_id": "", "count_max": 10, **changes}
        return [place.id for place in await places.list_places(CAFE.id, kind, **named)]

    ids = sorted(store.id for store in stores)
    assert await page("store") == ids
    assert await page("store", count_max=2) == ids[:2]
    assert await page("store", after_id=ids[1]) == ids[2:]
    assert await page("terminal") == sorted(till.id for till in tills)
    assert await page("terminal", store_id=stores[1].id) == [tills[1].id]
    assert await page("terminal", store_id="nonsense\0") == []
    with pytest.raises(MerchantNotFound):
        await places.list_places("mer_no", "store", store_id="", after_id="", count_max=1)


async def test_a_terminal_stands_in_a_store_of_its_merchant(
    merchants: Merchants, places: Places, cafe: Merchant
) -> None:
    """Goal: not in another merchant's store, not in a terminal, not in a closed store, not in
    nothing; and a store stands in none."""
    await merchants.register(OTHER, request_id="other", actor="opr_1")
    foreign, _ = await add(places, "store", merchant_id=OTHER.id)
    mine, _ = await add(places, "store", request_id="mine")
    till, _ = await add(places, "terminal", store_id=mine.id)
    for number, store_id in enumerate((foreign.id, till.id, "sto_nonsense", "sto_" + "0" * 26)):
        with pytest.raises(StoreNotFound):
            await add(places, "terminal", store_id=store_id, request_id=f"{number}")
    with pytest.raises(InvalidArgument):
        await add(places, "terminal", request_id="none")
    with pytest.raises(InvalidArgument):
        await add(places, "store", store_id=mine.id, request_id="in a store")
    await places.close(CAFE.id, mine.id, actor="opr_1")
    with pytest.raises(StoreClosed):
        await add(places, "terminal", store_id=mine.id, request_id="closed")
    repeated, replayed = await add(places, "terminal", store_id=mine.id)
    assert (repeated.id, repeated.closed, replayed) == (till.id, True, True)


async def test_another_merchants_place_is_not_there(
    merchants: Merchants, places: Places, cafe: Merchant
) -> None:
    """Goal: a merchant who knows the id of another one's store can do nothing with it."""
    await merchants.register(OTHER, request_id="other", actor="opr_1")
    store, _ = await add(places, "store")
    till, _ = await add(places, "terminal", store_id=store.id)
    for place_id, refusal in (
        (store.id, StoreNotFound),
        (till.id, TerminalNotFound),
        ("sto_\0", StoreNotFound),
    ):
        with pytest.raises(refusal):
            await places.rename(OTHER.id, place_id, name="Evil", version=0, actor=OTHER.id)
        with pytest.raises(refusal):
            await places.close(OTHER.id, place_id, actor=OTHER.id)
    [unchanged] = await places.list_places(CAFE.id, "store", store_id="", after_id="", count_max=9)
    assert unchanged == store


async def test_of_many_renames_of_a_version_one_is_made(places: Places, cafe: Merchant) -> None:
    """Goal: places have versions as merchants have."""
    store, _ = await add(places, "store")
    answers = await asyncio.gather(
        *(
            places.rename(CAFE.id, store.id, name=f"Quay {number}", version=1, actor="opr_1")
            for number in range(8)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, Place) for answer in answers) == 1
    assert sum(isinstance(answer, VersionMismatch) for answer in answers) == 7


async def test_closing_and_adding_at_once(places: Places, cafe: Merchant) -> None:
    """Goal: no terminal is open in a closed store, whoever is first, and nobody waits for ever."""
    store, _ = await add(places, "store")
    await asyncio.gather(
        *(
            add(places, "terminal", store_id=store.id, request_id=f"{number}")
            for number in range(3)
        ),
        places.close(CAFE.id, store.id, actor="opr_1"),
        return_exceptions=True,
    )
    tills = await places.list_places(CAFE.id, "terminal", store_id="", after_id="", count_max=9)
    assert all(till.closed for till in tills)
