"""Logos with a real database, a real folder and real drawing processes."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from barcode_svc import pictures
from barcode_svc.blobs import FolderBlobs
from barcode_svc.errors import LogoInvalid, LogoNotFound, MerchantClosed, MerchantNotFound
from barcode_svc.logos import Logos, RenderedLogo
from barcode_svc.merchants import Merchants
from barcode_svc.model import Merchant
from chassis.errors import InvalidArgument, Overloaded, Unavailable
from chassis.studio import Studio
from tests.integration.barcode_svc.test_blobs import files_of
from tests.integration.barcode_svc.test_merchant_records import CAFE, OTHER
from tests.unit.barcode_svc.files import animated, bomb, encoded, opened, picture

PNG = encoded(picture())
OTHER_PNG = encoded(picture(mode="L"))


class CountingStudio:
    """A studio that counts its works, and is open unless a test closes it."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self.works: list[str] = []
        self.open = asyncio.Event()
        self.open.set()

    async def run(self, function: Any, *arguments: Any) -> Any:
        """Pass it on."""
        self.works.append(function.__name__)
        await self.open.wait()
        return await self._studio.run(function, *arguments)


class CountingMerchants:
    """Records that count how often they were read."""

    def __init__(self, merchants: Merchants) -> None:
        self._merchants = merchants
        self.read = 0

    async def get(self, merchant_id: str) -> Merchant:
        """Pass it on."""
        merchant = await self._merchants.get(merchant_id)
        self.read += 1
        return merchant


@pytest.fixture(scope="module")
async def real_studio() -> AsyncIterator[Studio]:
    """One drawing process for all tests."""
    studio = Studio(processes_max=1, waiting_max=32, seconds_max=30.0)
    yield studio
    await studio.close()


@pytest.fixture
def studio(real_studio: Studio) -> CountingStudio:
    """The same, counted for one test."""
    return CountingStudio(real_studio)


def make_logos(merchants: Any, folder: Path, studio: Any, **changes: int) -> Logos:
    """Logos in a folder."""
    named = {"remembered_bytes_max": 1_000_000, **changes}
    return Logos(merchants=merchants, blobs=FolderBlobs(folder), studio=studio, **named)


@pytest.fixture
async def logos(merchants: Merchants, tmp_path: Path, studio: CountingStudio) -> Logos:
    """Logos of two registered merchants."""
    for merchant in (CAFE, OTHER):
        await merchants.register(merchant, request_id=merchant.id, actor="opr_1")
    return make_logos(merchants, tmp_path, studio)


async def rendered(logos: Logos, merchant_id: str = CAFE.id, **changes: Any) -> RenderedLogo:
    """The cafe's logo at 128 pixels as PNG, or with other wishes."""
    named = {"sha256": "", "width": 128, "form": "png", "known_etags": (), **changes}
    return await logos.render(merchant_id, **named)


async def test_a_logo_is_taken_in_and_shown(logos: Logos, tmp_path: Path) -> None:
    """Goal: from upload to picture; what is kept is our own PNG under its own name."""
    merchant = await logos.upload(CAFE.id, PNG, actor=CAFE.id)
    assert merchant.version == 2
    logo = await rendered(logos)
    assert logo.sha256 == merchant.logo_sha256
    assert opened(logo.content).size == (128, 85)
    assert (tmp_path / logo.sha256[:2] / logo.sha256).read_bytes() == pictures.clean(PNG)
    webp = await rendered(logos, form="webp", width=65)
    assert (webp.width, opened(webp.content).format) == (96, "WEBP")
    assert len({logo.etag, webp.etag, (await rendered(logos, width=129)).etag}) == 3


async def test_the_same_picture_is_the_same_logo(logos: Logos, merchants: Merchants) -> None:
    """Goal: an upload may be repeated: no new version, no new line of history."""
    first = await logos.upload(CAFE.id, PNG, actor=CAFE.id)
    assert await logos.upload(CAFE.id, PNG, actor=CAFE.id) == first
    assert len(await merchants.changes(CAFE.id, before_number=0, count_max=9)) == 2


async def test_an_address_stays_good(logos: Logos) -> None:
    """Goal: an earlier logo is shown under its own address after a new one came; one that this
    merchant never had is not, though it is there."""
    first = await logos.upload(CAFE.id, PNG, actor=CAFE.id)
    second = await logos.upload(CAFE.id, OTHER_PNG, actor=CAFE.id)
    assert (await rendered(logos)).sha256 == second.logo_sha256
    assert (await rendered(logos, sha256=first.logo_sha256)).sha256 == first.logo_sha256
    for merchant_id, sha256 in (
        (OTHER.id, first.logo_sha256),
        (OTHER.id, ""),
        (CAFE.id, "0" * 64),
        (CAFE.id, "../../../etc/passwd"),
        (CAFE.id, "\0"),
    ):
        with pytest.raises(LogoNotFound):
            await rendered(logos, merchant_id, sha256=sha256)


async def test_what_is_known_is_not_drawn(logos: Logos, studio: CountingStudio) -> None:
    """Goal: a tag that fits is answered without a picture, and without drawing one."""
    await logos.upload(CAFE.id, PNG, actor=CAFE.id)
    tag = (await rendered(logos)).etag
    studio.works.clear()
    known = await rendered(logos, known_etags=["other", tag])
    assert (known.not_modified, known.content, known.etag) == (True, b"", tag)
    assert studio.works == []


async def test_many_who_ask_at_once_share_one_drawing(
    logos: Logos, merchants: Merchants, tmp_path: Path, studio: CountingStudio
) -> None:
    """Goal: fifty at once, some of whom go away, cost one resize; widths of one step are one; and
    afterwards it is remembered."""
    await logos.upload(CAFE.id, PNG, actor=CAFE.id)
    studio.works.clear()
    studio.open.clear()
    counted = CountingMerchants(merchants)
    shared = make_logos(counted, tmp_path, studio)
    asking = [asyncio.create_task(rendered(shared, width=97 + number % 32)) for number in range(50)]
    async with asyncio.timeout(20):
        while counted.read < 50 or not studio.works:  # noqa: ASYNC110 - all wait for one drawing
            await asyncio.sleep(0.001)
    for task in asking[:10]:
        task.cancel()
    await asyncio.wait(asking[:10])
    studio.open.set()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    pictures_seen = {it.content for it in answers if isinstance(it, RenderedLogo)}
    assert len(pictures_seen) == 1
    assert sum(isinstance(it, RenderedLogo) for it in answers) == 40
    await rendered(shared)
    assert studio.works == ["draw"]


async def test_what_is_remembered_is_bounded(
    merchants: Merchants, logos: Logos, tmp_path: Path, studio: CountingStudio
) -> None:
    """Goal: a cache that is too small for a picture draws it again, and says nothing wrong."""
    await logos.upload(CAFE.id, PNG, actor=CAFE.id)
    forgetful = make_logos(merchants, tmp_path, studio, remembered_bytes_max=10)
    studio.works.clear()
    first, second = await rendered(forgetful), await rendered(forgetful)
    assert first == second
    assert studio.works == ["draw", "draw"]


@pytest.mark.parametrize("width", [63, 1025, 0, -1, 2**31 - 1])
async def test_widths_have_bounds(logos: Logos, width: int) -> None:
    """Goal: nobody makes us draw a poster."""
    with pytest.raises(InvalidArgument):
        await rendered(logos, width=width)


@pytest.mark.parametrize(
    "content", [b"", bomb(), animated("WEBP"), PNG[:100], b"x" * (pictures.BYTES_MAX + 1)]
)
async def test_what_is_no_logo_changes_nothing(
    logos: Logos, merchants: Merchants, tmp_path: Path, content: bytes
) -> None:
    """Goal: a refused file leaves no blob and no version."""
    with pytest.raises(LogoInvalid):
        await logos.upload(CAFE.id, content, actor=CAFE.id)
    assert await merchants.get(CAFE.id) == CAFE
    assert files_of(tmp_path) == []


async def test_who_has_no_logo(logos: Logos, merchants: Merchants) -> None:
    """Goal: nobody, a merchant without one, and a closed one that wants one are told apart; the
    logo of a closed merchant is still shown."""
    with pytest.raises(MerchantNotFound):
        await logos.upload("mer_nobody", PNG, actor="opr_1")
    with pytest.raises(MerchantNotFound):
        await rendered(logos, "mer_nobody")
    with pytest.raises(LogoNotFound):
        await rendered(logos)
    await logos.upload(CAFE.id, PNG, actor="opr_1")
    await merchants.close(CAFE.id, actor="opr_1")
    with pytest.raises(MerchantClosed):
        await logos.upload(CAFE.id, OTHER_PNG, actor="opr_1")
    assert (await rendered(logos)).content


async def test_a_lost_blob_is_unavailable(logos: Logos, tmp_path: Path) -> None:
    """Goal: a store that lost a picture is our fault, not a 404 that caches would keep; an upload
    of the same picture heals it."""
    merchant = await logos.upload(CAFE.id, PNG, actor=CAFE.id)
    (tmp_path / merchant.logo_sha256[:2] / merchant.logo_sha256).unlink()
    with pytest.raises(Unavailable):
        await rendered(logos)
    await logos.upload(CAFE.id, PNG, actor=CAFE.id)
    assert (await rendered(logos)).content


async def test_a_studio_has_so_much_room() -> None:
    """Goal: one work too many is refused at once; afterwards there is room."""
    studio = Studio(processes_max=1, waiting_max=2, seconds_max=30.0)
    try:
        works = [asyncio.create_task(studio.run(pictures.clean, PNG)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await studio.run(pictures.clean, PNG)
        await asyncio.gather(*works)
        assert await studio.run(pictures.clean, PNG) == pictures.clean(PNG)
    finally:
        await studio.close()


@pytest.mark.parametrize("end", [pytest.param(0.2, id="too slow"), pytest.param(None, id="killed")])
async def test_a_drawing_process_that_ends_takes_nobody_along(end: float | None) -> None:
    """Goal: a file that spins for ever, or kills its decoder, costs its own request; the next
    one is drawn by a fresh process."""
    studio = Studio(processes_max=1, waiting_max=8, seconds_max=end or 30.0)
    try:
        if end is None:
            with pytest.raises(Unavailable):
                await studio.run(signal.raise_signal, signal.SIGKILL)
        else:
            with pytest.raises(Unavailable):
                await studio.run(time.sleep, 60)
        studio = Studio(processes_max=1, waiting_max=8, seconds_max=30.0) if end else studio
        assert await studio.run(pictures.clean, PNG) == pictures.clean(PNG)
    finally:
        await studio.close()


async def test_a_drawing_process_has_its_memory(real_studio: Studio) -> None:
    """Goal: what wants more memory than a picture may take fails there, and leaves the process."""
    with pytest.raises(MemoryError):
        await real_studio.run(bytearray, 2 * 1024**3)
    assert await real_studio.run(pictures.clean, PNG)


async def test_no_drawing_process_is_left(tmp_path: Path) -> None:
    """Goal: closing ends the processes: nothing of ours runs on."""
    studio = Studio(processes_max=2, waiting_max=8, seconds_max=30.0)
    pid = await studio.run(os.getpid)
    assert psutil.pid_exists(pid)
    await studio.close()
    assert not psutil.pid_exists(pid)
