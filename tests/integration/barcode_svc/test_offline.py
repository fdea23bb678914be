"""Offline codes from enrolment to payment: a real PostgreSQL, a real Valkey, a clock to move."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from redis.asyncio import Redis

from barcode_svc import offline_codes
from barcode_svc.barcodes import RedeemedBarcode, Redemption
from barcode_svc.device_keys import DeviceKeys
from barcode_svc.devices import Devices, Enrolment
from barcode_svc.errors import (
    BarcodeExpired,
    BarcodeUnknown,
    BarcodeUsed,
    DeviceNotFound,
    OfflineLimitExceeded,
    RateLimited,
    TooManyDevices,
)
from barcode_svc.offline import OfflineCodes
from barcode_svc.offline_model import OfflineLimits
from barcode_svc.redemptions import Redemptions
from barcode_svc.scans import ScanMeter
from chassis.clock import SystemClock
from chassis.database import Database, open_database
from chassis.errors import InvalidArgument, Unavailable
from chassis.ids import IdMaker
from chassis.settings import Secret

Bench = Any
MakeBench = Any

KEY, NEW_KEY = Secret("o" * 32), Secret("n" * 32)
LIMITS = OfflineLimits(
    code_minor_max={"EUR": 5000, "JPY": 900}, day_minor_max={"EUR": 12_000, "JPY": 900}
)
EURO = 100


class Street:
    """Customers with phones, and tills."""

    def __init__(self, bench: Bench, database: Database, *keys: Secret) -> None:
        self.bench = bench
        self.database = database
        self.clock = bench.clock
        self.use_keys(*(keys or (KEY,)))
        self._turn = 0

    def use_keys(self, current: Secret, *previous: Secret) -> None:
        """Start the service again with these keys."""
        self.keys = DeviceKeys(current, previous)
        bench = self.bench
        self.devices = Devices(
            database=self.database,
            keys=self.keys,
            clock=self.clock,
            ids=IdMaker(clock=SystemClock()),
            enrolment=timedelta(days=7),
            devices_per_owner_max=3,
        )
        self.meter = ScanMeter(monotonic=self.clock.monotonic)
        self.redemptions = Redemptions(
            barcodes=bench.barcodes,
            offline=OfflineCodes(
                database=self.database,
                keys=self.keys,
                seal=bench.seal,
                limits=LIMITS,
                clock=self.clock,
            ),
            meter=self.meter,
        )

    async def phone(self, name: str = "phone", owner_id: str | None = None) -> Enrolment:
        """A device that is enrolled."""
        return await self.devices.enroll(owner_id or self.bench.owner_id, name)

    def code(self, phone: Enrolment, *, later: int = 0, key: bytes | None = None) -> Secret:
        """What the phone shows, some windows from now."""
        return offline_codes.make_code(
            secret=phone.secret,
            handle=phone.device.handle,
            permutation_key=key or self.keys.current.permutation_key,
            window=offline_codes.window_of(self.clock.now()) + later,
        )

    def scan(self, code: Secret, **fields: Any) -> Redemption:
        """What a till asks, with a token of its own if none is given."""
        self._turn += 1
        fields = {
            "token": f"token {self._turn}",
            "merchant_id": self.bench.merchant_id,
            "amount_minor": 100,
            "currency_code": "EUR",
            **fields,
        }
        return Redemption(code=code, **fields)

    async def redeem(self, code: Secret, **fields: Any) -> Any:
        """The outcome of one scan."""
        [outcome] = await self.redemptions.redeem([self.scan(code, **fields)])
        return outcome

    def wrong(self, phone: Enrolment, number: int) -> Secret:
        """A code that names the phone, with a password that is none."""
        window = offline_codes.window_of(self.clock.now())
        right = offline_codes.password_of(phone.secret, window)
        pair = offline_codes.Pair(
            phone.device.handle, (right + 1 + number) % offline_codes.PASSWORDS
        )
        left, right = offline_codes.permute(pair, self.keys.current.permutation_key)
        return Secret(f"9{left:09}{right:08}")


@pytest.fixture
def street(bench: Bench, database: Database) -> Street:
    """With the limits of production for guesses."""
    return Street(bench, database)


async def test_a_phone_without_network_pays(street: Street) -> None:
    """Goal: enrol, go offline, pay: the till learns whose code it was; the next window pays again,
    under another id."""
    phone = await street.phone()
    first = await street.redeem(street.code(phone))
    assert isinstance(first, RedeemedBarcode)
    assert first.owner_id == street.bench.owner_id
    assert first.issuance_id.startswith("off_" + phone.device.id.removeprefix("dev_"))
    street.clock.move(seconds=30)
    second = await street.redeem(street.code(phone))
    assert second.issuance_id != first.issuance_id


@pytest.mark.parametrize(
    ("later", "outcome"),
    [
        (-12, BarcodeUnknown),
        (-11, BarcodeExpired),
        (-2, BarcodeExpired),
        (-1, RedeemedBarcode),
        (1, RedeemedBarcode),
        (2, BarcodeUnknown),
    ],
)
async def test_one_window_of_skew(street: Street, later: int, outcome: type) -> None:
    """Goal: a phone's clock may be half a minute off; what is older is told to be old for a while,
    and the future is unknown."""
    phone = await street.phone()
    assert isinstance(await street.redeem(street.code(phone, later=later)), outcome)


async def test_fifty_tills_and_one_window(street: Street) -> None:
    """Goal: tills of one shop and of many, at the same time, in one batch and in many: a window
    pays once, and only the shop that was paid hears that it is used."""
    phone = await street.phone()
    for round_ in range(4):
        code = street.code(phone)
        shops = [f"mer_{number if round_ % 2 else 0}_{round_}" for number in range(50)]
        scans = [street.scan(code, merchant_id=shop) for shop in shops]
        batches = [scans[:20], *([scan] for scan in scans[20:])]
        answers = await asyncio.gather(*(street.redemptions.redeem(it) for it in batches))
        outcomes = [outcome for answer in answers for outcome in answer]
        kinds = [type(outcome) for outcome in outcomes]
        refused = BarcodeUnknown if round_ % 2 else BarcodeUsed
        assert (kinds.count(RedeemedBarcode), kinds.count(refused)) == (1, 49)
        winner = scans[kinds.index(RedeemedBarcode)]
        assert await street.redemptions.redeem([winner]) == [outcomes[scans.index(winner)]]
        street.clock.move(seconds=30)


async def test_a_flushed_cache_pays_nothing_twice(street: Street, administrator: Redis) -> None:
    """Goal: what was used is in PostgreSQL: Valkey may forget everything in between."""
    phone = await street.phone()
    code = street.code(phone)
    outcome = await street.redeem(code, token="one")
    await administrator.flushall()
    assert isinstance(await street.redeem(code, token="two"), BarcodeUsed)
    assert await street.redeem(code, token="one") == outcome


async def test_a_repeat_gets_the_answer_for_ever(street: Street) -> None:
    """Goal: a till that heard nothing asks again, in a minute or tomorrow, also when the device was
    revoked meanwhile or the shop is locked; another request never gets it."""
    phone = await street.phone()
    code = street.code(phone)
    outcome = await street.redeem(code, token="one")
    await street.devices.revoke(street.bench.owner_id, phone.device.id)
    street.clock.move(days=1)
    for number in range(10):
        await street.redeem(Secret(f"9{number:017}"))
    assert isinstance(await street.redeem(code, token="two"), RateLimited)
    assert await street.redeem(code, token="one") == outcome


async def test_limits(street: Street) -> None:
    """Goal: so much for a code, so much in a day for all of a person's phones; the refused code
    pays less; tomorrow is another day; what has no limit pays nothing."""
    phone, watch = await street.phone(), await street.phone("watch")
    code = street.code(phone)
    too_much = await street.redeem(code, amount_minor=5001)
    assert isinstance(too_much, OfflineLimitExceeded)
    assert isinstance(await street.redeem(code, amount_minor=5000), RedeemedBarcode)
    assert isinstance(await street.redeem(street.code(watch), amount_minor=5000), RedeemedBarcode)
    street.clock.move(seconds=30)
    code = street.code(phone)
    assert isinstance(await street.redeem(code, amount_minor=2001), OfflineLimitExceeded)
    assert isinstance(await street.redeem(code, amount_minor=2000), RedeemedBarcode)
    yen = await street.redeem(street.code(watch), amount_minor=900, currency_code="JPY")
    assert isinstance(yen, RedeemedBarcode), "each currency has its own"
    street.clock.move(days=1)
    assert isinstance(await street.redeem(street.code(phone), amount_minor=5000), RedeemedBarcode)
    francs = await street.redeem(street.code(watch), currency_code="CHF")
    assert isinstance(francs, OfflineLimitExceeded)


async def test_a_day_is_not_overdrawn_by_haste(street: Street) -> None:
    """Goal: three phones of one person at many tills at the same time spend the day's limit and not
    a cent more."""
    phones = [await street.phone(name) for name in ("a", "b", "c")]
    codes = [street.code(phone, later=later) for phone in phones for later in (-1, 0, 1)]
    outcomes = await asyncio.gather(
        *(
            street.redeem(code, amount_minor=30 * EURO, merchant_id=f"mer_{n}")
            for n, code in enumerate(codes)
        )
    )
    kinds = [type(outcome) for outcome in outcomes]
    assert (kinds.count(RedeemedBarcode), kinds.count(OfflineLimitExceeded)) == (4, 5)


async def test_an_enrolment_ends_and_is_renewed(street: Street) -> None:
    """Goal: after seven days without network the codes end; one contact later they are taken."""
    phone = await street.phone()
    street.clock.move(days=7, microseconds=-1)
    assert isinstance(await street.redeem(street.code(phone)), RedeemedBarcode)
    street.clock.move(microseconds=1, seconds=30)
    assert isinstance(await street.redeem(street.code(phone)), BarcodeExpired)
    renewed = await street.devices.renew(street.bench.owner_id, phone.device.id)
    assert renewed.expire_time - street.clock.now() == timedelta(days=7)
    assert isinstance(await street.redeem(street.code(phone)), RedeemedBarcode)


async def test_a_revoked_phone_pays_nothing(street: Street) -> None:
    """Goal: from that moment on, for ever: it cannot be renewed; revoking again changes nothing."""
    phone, owner_id = await street.phone(), street.bench.owner_id
    revoked = await street.devices.revoke(owner_id, phone.device.id)
    assert isinstance(await street.redeem(street.code(phone)), BarcodeUnknown)
    street.clock.move(seconds=30)
    assert await street.devices.revoke(owner_id, phone.device.id) == revoked
    with pytest.raises(DeviceNotFound):
        await street.devices.renew(owner_id, phone.device.id)
    assert await street.devices.list(owner_id) == []


async def test_devices_are_their_owners_and_bounded(street: Street) -> None:
    """Goal: nobody else can list, renew or revoke them; one too many is refused, also when many
    are enrolled at the same time; an enrolment of the same name takes the earlier one's place."""
    owner_id = street.bench.owner_id
    phone = await street.phone()
    for change in (street.devices.renew, street.devices.revoke):
        with pytest.raises(DeviceNotFound):
            await change("usr_stranger", phone.device.id)
        with pytest.raises(DeviceNotFound):
            await change(owner_id, "dev_nobody")
    answers = await asyncio.gather(
        *(street.phone(f"further {number}") for number in range(6)), return_exceptions=True
    )
    assert sum(isinstance(answer, TooManyDevices) for answer in answers) == 4
    again = await street.phone()
    listed = await street.devices.list(owner_id)
    assert len(listed) == 3
    assert phone.device.id not in [device.id for device in listed]
    assert isinstance(await street.redeem(street.code(phone)), BarcodeUnknown)
    assert isinstance(await street.redeem(street.code(again)), RedeemedBarcode)


async def test_offline_guesses_spend_the_merchants_budget(street: Street) -> None:
    """Goal: in one batch or in many at the same time, ten misses and no more; then sound codes are
    not read either, and stay good."""
    phone = await street.phone()
    batches = [
        [street.scan(Secret(f"9{number * 2 + place:017}")) for place in range(2)]
        for number in range(16)
    ]
    answers = await asyncio.gather(*(street.redemptions.redeem(batch) for batch in batches))
    kinds = [type(outcome) for answer in answers for outcome in answer]
    assert (kinds.count(BarcodeUnknown), kinds.count(RateLimited)) == (10, 22)
    code = street.code(phone)
    assert isinstance(await street.redeem(code), RateLimited)
    assert isinstance(await street.redeem(code, merchant_id="mer_calm"), RedeemedBarcode)


async def test_guesses_at_one_device_stop_its_codes(street: Street) -> None:
    """Goal: who knows a handle cannot try passwords at many tills: twenty in all, then even the
    right one is unknown for a day; issued codes and other devices go on."""
    phone, watch = await street.phone(), await street.phone("watch")
    for number in range(20):
        code = street.wrong(phone, number)
        assert isinstance(await street.redeem(code, merchant_id=f"mer_{number}"), BarcodeUnknown)
    assert isinstance(await street.redeem(street.code(phone)), BarcodeUnknown)
    assert isinstance(await street.redeem(street.code(watch)), RedeemedBarcode)
    assert isinstance(await street.redeem(await street.bench.issue()), RedeemedBarcode)
    street.clock.move(days=1)
    assert isinstance(await street.redeem(street.code(phone)), RedeemedBarcode)


async def test_a_mixed_batch(street: Street) -> None:
    """Goal: issued and offline codes, good and bad, share a call; each has its answer in order, and
    an issued code needs no amount."""
    phone = await street.phone()
    issued = await street.bench.issue()
    code = street.code(phone)
    scans = [
        street.scan(issued, amount_minor=0, currency_code=""),
        street.scan(code),
        street.scan(Secret("4006381333931")),
        street.scan(street.code(phone, later=1), amount_minor=0),
        street.scan(code),
        street.scan(street.code(phone, later=-3)),
    ]
    outcomes = await street.redemptions.redeem(scans)
    assert [type(outcome) for outcome in outcomes] == [
        RedeemedBarcode,
        RedeemedBarcode,
        BarcodeUnknown,
        InvalidArgument,
        BarcodeUsed,
        BarcodeExpired,
    ]
    assert street.meter.miss_ratio() == pytest.approx(1 / 6)


async def test_the_largest_batch(street: Street) -> None:
    """Goal: 256 codes in one call, half of them also in another one that has them in another order:
    the two do not lock each other out, and a token that is in both has one answer."""
    phones = [await street.phone(owner_id=f"usr_many_{number}") for number in range(128)]
    now = [street.scan(street.code(phone), merchant_id="mer_now") for phone in phones]
    next_ = [street.scan(street.code(phone, later=1)) for phone in reversed(phones)]
    answers = await asyncio.gather(
        street.redemptions.redeem(now + next_), street.redemptions.redeem(next_[::-1])
    )
    outcomes = [outcome for answer in answers for outcome in answer]
    paid = [outcome for outcome in outcomes if isinstance(outcome, RedeemedBarcode)]
    assert len(paid) == len(outcomes)
    assert len({outcome.issuance_id for outcome in paid}) == 256


async def test_a_new_key_and_an_old_phone(street: Street) -> None:
    """Goal: the service's key changes: phones go on with the old one until they are online; then
    they use the new one, and the old one can go."""
    phone = await street.phone()
    old = street.keys.current.permutation_key
    street.use_keys(NEW_KEY, KEY)
    assert isinstance(await street.redeem(street.code(phone, key=old)), RedeemedBarcode)
    await street.devices.renew(street.bench.owner_id, phone.device.id)
    street.clock.move(seconds=30)
    assert isinstance(await street.redeem(street.code(phone)), RedeemedBarcode)
    street.use_keys(NEW_KEY)
    street.clock.move(seconds=30)
    assert isinstance(await street.redeem(street.code(phone)), RedeemedBarcode)


async def test_no_secret_is_in_the_database(street: Street, barcode_database: Any) -> None:
    """Goal: who reads the tables can make no code, and finds none that was used."""
    phone = await street.phone()
    code = street.code(phone)
    await street.redeem(code)
    async with await psycopg.AsyncConnection.connect(barcode_database.owner_url) as connection:
        texts = []
        for table in ("devices", "offline_uses", "offline_spending"):
            cursor = await connection.execute(f"SELECT t::text FROM {table} t")  # noqa: S608
            texts += [row[0] for row in await cursor.fetchall()]
    everything = "\n".join(texts)
    assert phone.device.id in everything
    assert phone.secret.hex() not in everything
    assert code.reveal() not in everything


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM devices",
        "DELETE FROM offline_uses",
        "UPDATE offline_uses SET redemption_token = 'mine'",
        "UPDATE devices SET owner_id = 'usr_mallory'",
        "UPDATE devices SET handle = 1",
        "DELETE FROM offline_spending",
    ],
)
async def test_what_was_used_stays_used(barcode_database: Any, statement: Any) -> None:
    """Goal: the service itself cannot take a use back, or give a device to somebody else."""
    async with await psycopg.AsyncConnection.connect(barcode_database.url) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await connection.execute(statement)


async def test_without_postgresql_issued_codes_still_pay(bench: Bench) -> None:
    """Goal: one half being away is not the other's outage: the batch is answered item by item."""
    nowhere = Secret("postgresql://barcode_svc:none@127.0.0.1:1/barcode")
    async with open_database(nowhere, application_name="test") as database:
        street = Street(bench, database)
        issued = await bench.issue()
        outcomes = await street.redemptions.redeem(
            [street.scan(Secret("9" * 18)), street.scan(issued)]
        )
    assert [type(outcome) for outcome in outcomes] == [Unavailable, RedeemedBarcode]
