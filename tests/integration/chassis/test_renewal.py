"""Certificates are renewed under running processes, as kubelet does it: by turning a link."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import pytest
from cryptography import x509
from structlog.testing import capture_logs

from chassis import tls as chassis_tls
from chassis.channel import call, open_channel
from chassis.errors import Unavailable
from chassis.server import Serving, serve
from chassis.settings import ProcessSettings
from chassis.tls import TlsFault, TlsFiles, TlsWatch
from embedded.certificates import ensure_certificates, tls_files
from qrpay.ledger.v1 import ledger_pb2, ledger_pb2_grpc
from tests.integration.chassis.test_server import Servicer, service

RELOAD_SECONDS = 0.02
NAMES = ("ledger", "gateway")


class Pair(NamedTuple):
    """A certificate and its key, PEM."""

    cert: bytes
    key: bytes

    @property
    def serial(self) -> int:
        """The certificate's number."""
        return x509.load_pem_x509_certificate(self.cert).serial_number


class Authority:
    """Issues certificates, in a folder of its own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir()
        ensure_certificates(directory, now=datetime.now(UTC), identities=())
        self.cert = (directory / "ca.pem").read_bytes()

    def issue(self, identity: str, *, age: timedelta = timedelta()) -> Pair:
        """A new certificate, as if made some time ago. They live for a year."""
        files = tls_files(self._directory, identity)
        files.cert_file.unlink(missing_ok=True)
        ensure_certificates(self._directory, now=datetime.now(UTC) - age, identities=(identity,))
        return Pair(files.cert_file.read_bytes(), files.key_file.read_bytes())


class Volume:
    """A folder as kubelet mounts a secret: files are links into ``..data``, itself a link."""

    def __init__(self, directory: Path, pair: Pair, ca: bytes) -> None:
        self._directory = directory
        self._version = 0
        directory.mkdir()
        self.files = TlsFiles(*(directory / name for name in ("tls.crt", "tls.key", "ca.crt")))
        self.put(pair, ca)
        for file in self.files:
            file.symlink_to(Path("..data") / file.name)

    def put(self, pair: Pair, ca: bytes) -> None:
        """Replace all three at once."""
        self._version += 1
        version = self._directory / f"..{self._version}"
        version.mkdir()
        for file, content in zip(self.files, (*pair, ca), strict=True):
            (version / file.name).write_bytes(content)
        link = self._directory / "..data_tmp"
        link.symlink_to(version.name)
        link.replace(self._directory / "..data")


class Scene:
    """Two authorities, a server's and a client's certificates, and what is made of them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._stack = AsyncExitStack()
        self.old, self.new = Authority(directory / "old"), Authority(directory / "new")
        self.server, self.client = (
            Volume(directory / f"{name}-tls", self.old.issue(name), self.old.cert) for name in NAMES
        )
        self.servicer = Servicer()
        self.serving = Serving(0)

    async def start(self, *, port: int = 0) -> None:
        """Start the server."""
        self.serving = await self._stack.enter_async_context(
            running(self.server.files, self.servicer, port)
        )

    async def close(self) -> None:
        """Stop everything."""
        await self._stack.aclose()

    async def stub(self, files: TlsFiles | None = None, **named: Any) -> Any:
        """The client's stub."""
        channel = open_channel(
            f"127.0.0.1:{self.serving.port}",
            identity="ledger",
            tls=files or self.client.files,
            **{"reload_seconds": RELOAD_SECONDS, **named},
        )
        await self._stack.enter_async_context(channel)
        return ledger_pb2_grpc.LedgerServiceStub(channel)

    async def server_serial(self, files: TlsFiles | None = None) -> int:
        """The number of the certificate that the server shows now."""
        shown = files or self.client.files
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        context.load_cert_chain(shown.cert_file, shown.key_file)
        _, writer = await asyncio.open_connection("127.0.0.1", self.serving.port, ssl=context)
        answer = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        return x509.load_der_x509_certificate(answer).serial_number

    def other_files(self, pair: Pair, ca: bytes) -> TlsFiles:
        """Files beside those of the client."""
        return Volume(self._directory / f"other-{pair.serial}", pair, ca).files


@asynccontextmanager
async def running(files: TlsFiles, servicer: Servicer, port: int) -> AsyncIterator[Serving]:
    """A server with these files."""
    started: asyncio.Future[Serving] = asyncio.get_running_loop().create_future()
    settings = ProcessSettings(
        grpc_listen=f"127.0.0.1:{port}",
        tls_cert_file=files.cert_file,
        tls_key_file=files.key_file,
        tls_ca_file=files.ca_file,
        tls_reload_seconds=RELOAD_SECONDS,
        drain_seconds=1.0,
    )
    task = asyncio.create_task(
        serve(settings=settings, services=[service(servicer)], on_started=started.set_result)
    )
    serving = await started
    yield serving
    serving.stopping.set()
    await task


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """A server that runs."""
    scene = Scene(tmp_path)
    await scene.start()
    yield scene
    await scene.close()


async def echo(stub: Any, text: str = "hello", *, timeout_seconds: float = 5.0) -> str:
    """Call the server."""
    response = await call(
        stub.GetTransaction,
        ledger_pb2.GetTransactionRequest(payment_id=text),
        timeout_seconds=timeout_seconds,
    )
    return str(response.transaction.payment_id)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something has become true."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - of things that nobody announces
            await asyncio.sleep(0.005)


async def renewed(stub: Any, change: Callable[[], None]) -> None:
    """Change the client's files, and wait until its channel was made anew."""
    before = stub.GetTransaction.current
    change()
    await until(lambda: stub.GetTransaction.current is not before)


async def test_the_server_shows_its_new_certificate(scene: Scene) -> None:
    """From the next connection on, without a restart; the client need not do anything."""
    stub = await scene.stub()
    assert await echo(stub) == "hello"
    pair = scene.old.issue("ledger")
    assert await scene.server_serial() != pair.serial
    scene.server.put(pair, scene.old.cert)
    assert await scene.server_serial() == pair.serial
    assert await echo(stub) == "hello"
    assert await echo(await scene.stub()) == "hello"


async def test_the_authority_is_rotated(scene: Scene) -> None:
    """With both in between, and calls all the time, of which none fails. At the end the old
    authority counts for nothing."""
    stub = await scene.stub()
    answered = 0
    ended = asyncio.Event()

    async def keep_calling() -> None:
        nonlocal answered
        while not ended.is_set():
            assert await echo(stub) == "hello"
            answered += 1

    calling = asyncio.create_task(keep_calling())
    both = scene.old.cert + scene.new.cert
    server, client = (scene.old.issue(name) for name in NAMES)
    old_client = client
    scene.server.put(server, both)
    await renewed(stub, lambda: scene.client.put(client, both))
    server, client = (scene.new.issue(name) for name in NAMES)
    scene.server.put(server, both)
    await renewed(stub, lambda: scene.client.put(client, both))
    scene.server.put(server, scene.new.cert)
    await renewed(stub, lambda: scene.client.put(client, scene.new.cert))
    seen = answered
    await until(lambda: answered > seen + 10)
    ended.set()
    await calling
    assert await scene.server_serial() == server.serial
    outside = await scene.stub(scene.other_files(old_client, both))
    with pytest.raises(Unavailable):
        await echo(outside, timeout_seconds=2)


async def test_an_expired_certificate_is_renewed(scene: Scene) -> None:
    """A client whose certificate is over is refused, and served once there is a new one."""
    scene.client.put(scene.old.issue("gateway", age=timedelta(days=366)), scene.old.cert)
    stub = await scene.stub()
    with pytest.raises(Unavailable):
        await echo(stub, timeout_seconds=1)
    await renewed(stub, lambda: scene.client.put(scene.old.issue("gateway"), scene.old.cert))
    assert await echo(stub) == "hello"


async def test_a_call_under_way_survives(scene: Scene) -> None:
    """It ends over the old channel; calls that begin later go over the new one."""
    stub = await scene.stub()
    goes_on = asyncio.Event()

    async def wait() -> None:
        await goes_on.wait()

    scene.servicer.behaviour = wait
    under_way = asyncio.create_task(echo(stub, "old"))
    await until(lambda: scene.servicer.calls == 1)
    scene.servicer.behaviour = None
    await renewed(stub, lambda: scene.client.put(scene.old.issue("gateway"), scene.old.cert))
    assert await echo(stub, "new") == "new"
    assert not under_way.done()
    goes_on.set()
    assert await under_way == "old"


async def test_a_pair_that_does_not_fit_is_not_used(scene: Scene) -> None:
    """Somebody is in the middle of writing it, or made a mistake: the one before stays in use, and
    the log says so. On both sides."""
    stub = await scene.stub()
    before = await scene.server_serial()
    right = {name: scene.old.issue(name) for name in NAMES}
    channel = stub.GetTransaction.current
    with capture_logs() as log:
        for volume, name in ((scene.server, "ledger"), (scene.client, "gateway")):
            wrong = Pair(right[name].cert, scene.old.issue(name).key)
            volume.put(wrong, scene.old.cert)
        await until(lambda: len(log) >= 2)
    assert {line["fault"] for line in log} == {
        f"{volume.files.cert_file}: the key is not the certificate's"
        for volume in (scene.server, scene.client)
    }
    shown = scene.other_files(right["gateway"], scene.old.cert)
    assert await scene.server_serial(shown) == before
    assert await echo(stub) == "hello"
    assert stub.GetTransaction.current is channel
    scene.client.put(right["gateway"], scene.old.cert)
    scene.server.put(right["ledger"], scene.old.cert)
    assert await scene.server_serial() == right["ledger"].serial
    await until(lambda: stub.GetTransaction.current is not channel)


async def test_a_certificate_that_others_do_not_know_yet(scene: Scene) -> None:
    """The new authority was given to the client before the servers: its old certificate stays in
    use. Once the servers know the authority, the new one is."""
    stub = await scene.stub()
    assert await echo(stub) == "hello"
    channel = stub.GetTransaction.current
    both = scene.old.cert + scene.new.cert
    with capture_logs() as log:
        scene.client.put(scene.new.issue("gateway"), both)
        await until(lambda: any("still the old one" in line["event"] for line in log))
    assert await echo(stub) == "hello"
    assert stub.GetTransaction.current is channel
    scene.server.put(scene.old.issue("ledger"), both)
    await until(lambda: stub.GetTransaction.current is not channel)
    assert await echo(stub) == "hello"


def test_files_are_looked_at_again_only_when_they_changed(tmp_path: Path) -> None:
    """The same object as long as nothing changed; written in place counts, too. Files that are gone
    for a moment change nothing."""
    authority = Authority(tmp_path / "authority")
    volume = Volume(tmp_path / "tls", authority.issue("ledger"), authority.cert)
    watch = TlsWatch(volume.files)
    before = watch.look()
    assert watch.look() is before
    real = volume.files.cert_file.resolve()
    content = real.read_bytes()
    real.unlink()
    assert watch.look() is before
    real.write_bytes(content)
    assert watch.look() is before
    pair = authority.issue("ledger")
    volume.files.key_file.resolve().write_bytes(pair.key)
    assert watch.look() is before
    real.write_bytes(pair.cert)
    os.utime(real)
    assert watch.look().cert == pair.cert


def test_the_metrics_tell_when_certificates_end(tmp_path: Path) -> None:
    """The own certificate's end and length, and the last authority's."""
    authority = Authority(tmp_path / "authority")
    pair = authority.issue("ledger", age=timedelta(days=100))
    TlsWatch(Volume(tmp_path / "tls", pair, authority.cert).files)
    told = {
        (gauge.name, point.attributes["qrpay.tls.certificate"]): point.value
        for gauge in (chassis_tls._EXPIRY, chassis_tls._LIFETIME)
        for point in gauge.points()
    }
    for name, pem in (("own", pair.cert), ("authority", authority.cert)):
        certificate = x509.load_pem_x509_certificate(pem)
        ends, begins = certificate.not_valid_after_utc, certificate.not_valid_before_utc
        assert told["qrpay.tls.certificate.expiry", name] == ends.timestamp()
        assert told["qrpay.tls.certificate.lifetime", name] == (ends - begins).total_seconds()


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_without_its_files_a_process_does_not_start(tmp_path: Path, missing: int) -> None:
    """The error says what is wrong, and never what the key is."""
    authority = Authority(tmp_path / "authority")
    volume = Volume(tmp_path / "tls", authority.issue("ledger"), authority.cert)
    volume.files[missing].resolve().write_bytes(b"nothing")
    with pytest.raises(TlsFault, match="unreadable"):
        TlsWatch(volume.files)


async def test_a_retired_channel_is_closed_with_the_present_one(scene: Scene) -> None:
    """Nothing stays behind: no task, and no connection that is still open."""
    before = asyncio.all_tasks()
    stub = await scene.stub()
    await renewed(stub, lambda: scene.client.put(scene.old.issue("gateway"), scene.old.cert))

    def running() -> set[str]:
        names = {task.get_name() for task in asyncio.all_tasks() - before}
        return names & {"renew channel", "retire channel"}

    assert running() == {"renew channel", "retire channel"}
    await scene.close()
    assert running() == set()
    with pytest.raises((grpc.aio.UsageError, Unavailable)):
        await echo(stub)
