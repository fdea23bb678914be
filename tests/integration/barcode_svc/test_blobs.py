"""Where pictures are kept: a real folder, and a real server that speaks S3."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from obstore.store import S3Store

from barcode_svc.blobs import BlobStore, FolderBlobs, S3Blobs
from chassis.errors import Unavailable
from chassis.settings import Secret
from embedded.ports import LOOPBACK, find_free_port

CONTENT = b"a picture"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MISSING = "0" * 64


@pytest.fixture(scope="module")
async def s3_endpoint(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The address of a server with a bucket "logos"."""
    port = find_free_port()
    log = tmp_path_factory.mktemp("s3") / "log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "moto.server", "-H", LOOPBACK, "-p", str(port)),
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
        )
    endpoint = f"http://{LOOPBACK}:{port}"
    try:
        async with asyncio.timeout(60), httpx.AsyncClient(trust_env=False) as client:
            while True:
                try:
                    answer = await client.put(f"{endpoint}/logos")
                except httpx.TransportError:
                    assert process.returncode is None, log.read_text()
                    await asyncio.sleep(0.1)
                else:
                    assert answer.status_code == 200, answer.text
                    break
        yield endpoint
    finally:
        process.terminate()
        await process.wait()


@pytest.fixture
def s3(s3_endpoint: str) -> S3Blobs:
    """A bucket as the service sees it."""
    return s3_blobs(s3_endpoint)


def s3_blobs(endpoint: str, *, bucket: str = "logos") -> S3Blobs:
    """A bucket of a server."""
    return S3Blobs(
        bucket=bucket,
        region="us-east-1",
        key_id=Secret("an-id"),
        key_secret=Secret("hidden-secret"),
        endpoint=endpoint,
        seconds_max=2.0,
    )


@pytest.fixture(params=["folder", "s3"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path, s3: S3Blobs) -> BlobStore:
    """Each kind of store."""
    return s3 if request.param == "s3" else FolderBlobs(tmp_path / "not" / "there yet")


async def test_what_is_stored_is_read(blobs: BlobStore) -> None:
    """Goal: the name is that of the content, storing again changes nothing, also at once, and what
    is not there is None."""
    assert await blobs.put(CONTENT) == SHA256
    assert await asyncio.gather(*(blobs.put(CONTENT) for _ in range(8))) == [SHA256] * 8
    assert await blobs.get(SHA256) == CONTENT
    assert await blobs.get(MISSING) is None
    large = os.urandom(3 * 1024 * 1024)
    assert await blobs.get(await blobs.put(large)) == large


async def test_a_folder_holds_whole_files_only(tmp_path: Path) -> None:
    """Goal: after storing there is the blob and no draft; a draft that a crash left is not read."""
    blobs = FolderBlobs(tmp_path)
    await blobs.put(CONTENT)
    assert files_of(tmp_path) == [tmp_path / SHA256[:2] / SHA256]
    (tmp_path / "00").mkdir()
    (tmp_path / "00" / f".{MISSING}.abc").write_bytes(b"half")
    assert await blobs.get(MISSING) is None


async def test_a_full_or_forbidden_folder_is_unavailable(tmp_path: Path) -> None:
    """Goal: a disk that cannot be used is an error that is worth a repeat, and leaves nothing."""
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    blobs = FolderBlobs(blocked / "below a file")
    with pytest.raises(Unavailable):
        await blobs.put(CONTENT)
    with pytest.raises(Unavailable):
        await blobs.get(SHA256)


def files_of(root: Path) -> list[Path]:
    """All files below a folder."""
    return [path for path in root.rglob("*") if path.is_file()]


def damage_file(root: Path) -> None:
    """Turn a bit of the only blob."""
    [path] = files_of(root)
    path.write_bytes(b"A" + path.read_bytes()[1:])


async def test_a_damaged_file_is_not_served(tmp_path: Path) -> None:
    """Goal: what a disk has changed is told from what was stored; storing again repairs it."""
    blobs = FolderBlobs(tmp_path)
    await blobs.put(CONTENT)
    damage_file(tmp_path)
    with pytest.raises(Unavailable):
        await blobs.get(SHA256)
    await blobs.put(CONTENT)
    assert await blobs.get(SHA256) == CONTENT


async def test_a_damaged_object_is_not_served(s3_endpoint: str, s3: S3Blobs) -> None:
    """Goal: the same in a bucket; objects are below logos/."""
    await s3.put(CONTENT)
    store = S3Store(
        "logos",
        config={
            "endpoint": s3_endpoint,
            "region": "us-east-1",
            "access_key_id": "x",
            "secret_access_key": "y",
        },
        client_options={"allow_http": True},
    )
    await store.put_async(f"logos/{SHA256}", b"another picture")
    with pytest.raises(Unavailable):
        await s3.get(SHA256)
    await s3.put(CONTENT)
    assert await s3.get(SHA256) == CONTENT


@pytest.mark.parametrize(
    "make",
    [
        lambda endpoint: s3_blobs(f"http://{LOOPBACK}:{find_free_port()}"),
        lambda endpoint: s3_blobs(endpoint, bucket="no-such-bucket"),
    ],
    ids=["nobody there", "no bucket"],
)
async def test_a_bucket_that_is_away_is_unavailable(
    s3_endpoint: str, make: Callable[[str], S3Blobs], capfd: pytest.CaptureFixture[str]
) -> None:
    """Goal: in bounded time, an error that is worth a repeat; and no key in the log."""
    blobs = make(s3_endpoint)
    async with asyncio.timeout(10):
        with pytest.raises(Unavailable):
            await blobs.put(CONTENT)
    assert "hidden-secret" not in "".join(capfd.readouterr())


async def test_requests_are_signed() -> None:
    """Goal: what goes to the bucket carries a signature (SigV4) with our key id, and never the
    secret."""
    heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.set_result(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(listen, LOOPBACK, 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(Unavailable):
            await s3_blobs(f"http://{LOOPBACK}:{port}").put(CONTENT)
    head = heard.result()
    assert head.startswith(f"PUT /logos/logos/{SHA256} ".encode())
    assert b"AWS4-HMAC-SHA256 Credential=an-id/" in head
    assert b"hidden-secret" not in head
