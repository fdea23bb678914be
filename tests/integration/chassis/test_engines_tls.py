"""TLS to the engines: NATS, Valkey and PostgreSQL prove who they are, and see who comes.

NATS speaks TLS itself here. The wheels of Valkey and PostgreSQL are built without it, so small
proxies that do stand in front of the real ones.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest
from structlog.testing import capture_logs

from barcode_svc.valkey import open_valkey
from chassis.database import open_database
from chassis.errors import Unavailable
from chassis.jetstream import StreamSpec, connect
from chassis.jetstream.addresses import NatsAddresses
from chassis.settings import Secret
from chassis.tls import TlsFiles
from embedded.certificates import ensure_certificates, tls_files
from embedded.nats import NatsServer, running_nats
from embedded.ports import LOOPBACK
from embedded.postgres import PostgresServer
from embedded.valkey import ValkeyServer
from tests.conftest import DatabaseFor
from tests.integration.chassis.test_renewal import Authority, Pair, Volume, until

STREAM = StreamSpec(name="ENCRYPTED", subjects=("encrypted.>",), max_age_seconds=3600)


class Certificates(msgspec.Struct, frozen=True):
    """Who has which files."""

    engine: TlsFiles
    client: TlsFiles
    stranger: TlsFiles
    """Of another authority, which it trusts, too."""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Engines' certificates name 127.0.0.1, as those of the local stack do."""
    mesh, other = tmp_path_factory.mktemp("mesh"), tmp_path_factory.mktemp("other")
    for directory, names in ((mesh, ("engine", "payment")), (other, ("payment",))):
        ensure_certificates(directory, now=datetime.now(UTC), identities=names)
    return Certificates(
        engine=tls_files(mesh, "engine"),
        client=tls_files(mesh, "payment"),
        stranger=tls_files(other, "payment"),
    )


@pytest.fixture(scope="module")
async def nats(
    certificates: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[NatsServer]:
    """A NATS that demands certificates."""
    async with running_nats(tmp_path_factory.mktemp("nats"), tls=certificates.engine) as server:
        yield server


async def test_nats_with_certificates(nats: NatsServer, certificates: Certificates) -> None:
    """``tls://``: both sides prove themselves, and messages are stored."""
    assert nats.url.startswith("tls://")
    async with connect(nats.url, name="test", streams=[STREAM], tls=certificates.client) as queue:
        await queue.session()
        ack = await queue.publish("encrypted.one", b"1", message_id="one")
        assert (ack.stream, ack.duplicate) == ("ENCRYPTED", False)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("authority", "certificate verify failed"),
        ("host", "certificate verify failed"),
        ("certificate", "nats_error"),
        ("plain", "does not demand TLS"),
    ],
)
async def test_nats_is_not_trusted_blindly(
    nats: NatsServer, nats_server: NatsServer, certificates: Certificates, wrong: str, said: str
) -> None:
    """Not a server of another authority, nor one that lacks the name that was asked for; one that
    does not encrypt is told nothing, the password least of all. Nor are we, with a certificate that
    the server does not know."""
    url, tls = nats.url, certificates.client
    if wrong == "authority":
        tls = certificates.stranger
    elif wrong == "host":
        url = url.replace(LOOPBACK, "127.1")  # the same address, but not its name
    elif wrong == "certificate":
        tls = tls._replace(
            cert_file=certificates.stranger.cert_file, key_file=certificates.stranger.key_file
        )
    else:
        url = nats_server.url.replace("nats://", "tls://")
    with capture_logs() as log:
        async with connect(url, name="test", tls=tls) as queue:
            await until(lambda: any(said in str(line) for line in log))
            assert not queue.is_connected


async def test_nats_is_shown_renewed_certificates(
    nats: NatsServer, certificates: Certificates, tmp_path: Path
) -> None:
    """A client whose certificate was of no use comes in once it was renewed, by itself."""
    unknown = Authority(tmp_path / "authority")
    volume = Volume(
        tmp_path / "tls", unknown.issue("payment"), certificates.client.ca_file.read_bytes()
    )
    with capture_logs() as log:
        async with connect(nats.url, name="test", tls=volume.files) as queue:
            await until(lambda: any(line["event"] == "nats_error" for line in log))
            assert not queue.is_connected
            pair = Pair(
                certificates.client.cert_file.read_bytes(),
                certificates.client.key_file.read_bytes(),
            )
            volume.put(pair, certificates.client.ca_file.read_bytes())
            await until(lambda: queue.is_connected)


def test_addresses_are_all_of_one_kind() -> None:
    """One in plain text among others would be the one that somebody makes us use."""
    with pytest.raises(ValueError, match="all nats:// or all tls://") as refused:
        NatsAddresses("tls://a:secret@one:4222,nats://a:secret@two:4222", name="test")
    assert "secret" not in str(refused.value)


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what comes, to its end."""
    with suppress(OSError):
        while piece := await reader.read(65_536):
            writer.write(piece)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def tls_proxy(port: int, files: TlsFiles) -> AsyncIterator[int]:
    """Takes TLS connections with a certificate, and passes on what is in them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.cert_file, files.key_file)
    context.load_verify_locations(files.ca_file)
    context.verify_mode = ssl.CERT_REQUIRED

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection(LOOPBACK, port)
        await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer))

    server = await asyncio.start_server(serve, LOOPBACK, 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_valkey_with_certificates(
    valkey_server: ValkeyServer, certificates: Certificates
) -> None:
    """``rediss://``: both sides prove themselves, and commands are carried out."""
    async with tls_proxy(valkey_server.port, certificates.engine) as port:
        url = encrypted(valkey_server, port)
        async with open_valkey(url, client_name="test", tls=certificates.client) as valkey:
            assert await valkey.ping()
        for files in (
            certificates.stranger,  # neither side's authority is the other's
            certificates.stranger._replace(ca_file=certificates.client.ca_file),
        ):
            async with open_valkey(url, client_name="test", tls=files) as valkey:
                with pytest.raises(Unavailable):
                    await valkey.ping()
        other_name = Secret(url.reveal().replace(LOOPBACK, "127.1"))
        async with open_valkey(other_name, client_name="test", tls=certificates.client) as valkey:
            with pytest.raises(Unavailable):
                await valkey.ping()


async def test_valkey_needs_to_know_whom_to_trust(valkey_server: ValkeyServer) -> None:
    """Nobody is trusted because the system trusts them."""
    with pytest.raises(ValueError, match="needs certificates"):
        async with open_valkey(encrypted(valkey_server, 1), client_name="test"):
            pass


def encrypted(server: ValkeyServer, port: int) -> Secret:
    """The URL of barcode_svc's user behind the proxy."""
    url = server.barcode_url.replace("redis://", "rediss://")
    return Secret(url.replace(f":{server.port}/", f":{port}/"))


@asynccontextmanager
async def postgres_proxy(port: int, files: TlsFiles | None) -> AsyncIterator[int]:
    """PostgreSQL's own way into TLS: asked for it in plain text, says yes and begins; or, without
    files, says no."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if files is not None:
        context.load_cert_chain(files.cert_file, files.key_file)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readexactly(8) == struct.pack("!ii", 8, 80877103)  # SSLRequest
        writer.write(b"N" if files is None else b"S")
        await writer.drain()
        with suppress(OSError, ssl.SSLError):
            if files is not None:
                await writer.start_tls(context)
                inner_reader, inner_writer = await asyncio.open_connection(LOOPBACK, port)
                await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer))
        writer.close()

    server = await asyncio.start_server(serve, LOOPBACK, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_postgres_with_verified_certificate(
    database_for: DatabaseFor, postgres_server: PostgresServer, certificates: Certificates
) -> None:
    """``sslmode=verify-full`` in the URL reaches the driver, and is what it says: not another
    authority, not another host, and nothing in plain text."""
    plain = (await database_for("wallet")).url

    def url(port: int, ca_file: Path, host: str = LOOPBACK) -> Secret:
        query = f"?sslmode=verify-full&sslrootcert={quote(str(ca_file))}"
        here = f"{LOOPBACK}:{postgres_server.port}"
        return Secret(plain.replace(here, f"{host}:{port}") + query + f"&hostaddr={LOOPBACK}")

    ours, theirs = certificates.client.ca_file, certificates.stranger.ca_file
    async with (
        postgres_proxy(postgres_server.port, certificates.engine) as port,
        postgres_proxy(postgres_server.port, None) as unencrypted,
    ):
        async with open_database(url(port, ours), application_name="test") as database:
            assert await database.ping()
        for wrong in (url(port, theirs), url(port, ours, "other.example"), url(unencrypted, ours)):
            async with open_database(wrong, application_name="test") as database:
                with pytest.raises(Unavailable):
                    await database.ping()
