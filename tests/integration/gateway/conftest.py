"""A real gateway in front of fake services, over mTLS, with a real NATS and tokens of our own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from nats.aio.client import Client as NatsClient

from chassis.clock import SystemClock
from chassis.settings import Secret
from chassis.tls import TlsFiles
from embedded.certificates import ensure_certificates, tls_files
from embedded.nats import NatsServer
from embedded.tokens import AUDIENCE, ISSUER, TokenIssuer, ensure_issuer, jwks_file, load_issuer
from gateway.serving import serve
from gateway.settings import GatewaySettings
from qrpay.barcode.v1 import (
    barcode_pb2,
    barcode_pb2_grpc,
    device_pb2,
    device_pb2_grpc,
    merchant_pb2,
    merchant_pb2_grpc,
)
from qrpay.ledger.v1 import ledger_pb2, ledger_pb2_grpc
from qrpay.payment.v1 import (
    payment_pb2,
    payment_pb2_grpc,
    payment_queue_pb2,
    timeline_pb2,
    timeline_pb2_grpc,
)
from qrpay.wallet.v1 import wallet_pb2, wallet_pb2_grpc
from tests.integration.gateway.fake_devices import FakeDevices
from tests.integration.gateway.fake_ledger import FakeLedger
from tests.integration.gateway.fake_merchants import FakeMerchants
from tests.integration.gateway.fakes import (
    IDS,
    FakeBarcodes,
    FakePayments,
    FakeWallets,
    first_done,
    rpc_service,
    running_fake,
)


@dataclass(kw_only=True)
class Mesh:
    """The services behind the gateway, and everything to start one with."""

    directory: Path
    payments: FakePayments = field(default_factory=FakePayments)
    wallets: FakeWallets = field(default_factory=FakeWallets)
    barcodes: FakeBarcodes = field(default_factory=FakeBarcodes)
    merchants: FakeMerchants = field(default_factory=FakeMerchants)
    devices: FakeDevices = field(default_factory=FakeDevices)
    """Served where barcodes are."""
    ledger: FakeLedger = field(default_factory=FakeLedger)
    ports: dict[str, int] = field(default_factory=dict)
    issuer: TokenIssuer
    nats: NatsServer

    def tls(self, identity: str) -> TlsFiles:
        """The certificate of an identity."""
        return tls_files(self.directory, identity)

    def settings(self, **changed: Any) -> GatewaySettings:
        """Settings of a gateway on a free port."""
        tls = self.tls("gateway")
        values: dict[str, Any] = {
            "http_listen": "127.0.0.1:0",
            "tls_cert_file": tls.cert_file,
            "tls_key_file": tls.key_file,
            "tls_ca_file": tls.ca_file,
            **{f"{name}_target": f"127.0.0.1:{port}" for name, port in self.ports.items()},
            "nats_url": Secret(self.nats.url_for("gateway")),
            "jwks_file": str(jwks_file(self.directory)),
            "token_issuer": ISSUER,
            "token_audience": AUDIENCE,
            "drain_seconds": 2.0,
        }
        return GatewaySettings(**{**values, **changed})

    def reset(self) -> None:
        """All services are well again and answer by their simple rules."""
        for fake in (self.payments, self.wallets, self.barcodes, self.devices, self.ledger):
            fake.faults.clear()
        self.merchants.reset()
        self.payments.refusals.clear()
        self.payments.at_once.clear()
        self.payments.requests.clear()
        self.payments.batches.clear()
        self.payments.traceparents.clear()
        self.payments.before_answer = None
        self.payments.wallet_silent = False

    def token(self, subject: str, role: Any, *, life: timedelta = timedelta(hours=1)) -> str:
        """A token for a user."""
        now = datetime.now(UTC)
        return self.issuer.issue(subject=subject, role=role, now=now, life=life)


@dataclass(kw_only=True)
class User:
    """Somebody with a token and a client of a gateway."""

    id: str
    token: str
    http: httpx.AsyncClient

    async def post(self, path: str, body: Any = None, **named: Any) -> httpx.Response:
        """Send JSON, with a new Idempotency-Key if ``headers`` bring none."""
        headers = {"idempotency-key": IDS.make("key"), **named.pop("headers", {})}
        return await self.http.post(path, json=body, headers=headers, **named)

    async def get(self, path: str, **named: Any) -> httpx.Response:
        """Read something."""
        return await self.http.get(path, **named)


@dataclass(kw_only=True)
class Gateway:
    """A gateway that runs."""

    url: str
    port: int
    mesh: Mesh
    stopping: asyncio.Event
    ended: asyncio.Task[None]
    probe_port: int
    clients: AsyncExitStack

    async def user(self, role: str = "customer", *, user_id: str = "") -> User:
        """A new user, nobody's namesake unless an id is given."""
        prefix = {"customer": "usr", "merchant": "mer", "operator": "opr"}[role]
        user_id = user_id or IDS.make(prefix)
        token = self.mesh.token(user_id, role)
        http = await self.client(headers={"authorization": f"Bearer {token}"})
        return User(id=user_id, token=token, http=http)

    async def client(self, **named: Any) -> httpx.AsyncClient:
        """A plain HTTP client."""
        client = httpx.AsyncClient(base_url=self.url, timeout=40, trust_env=False, **named)
        return await self.clients.enter_async_context(client)

    async def ready(self) -> None:
        """Return when it says that it can serve."""
        client = await self.client()
        async with asyncio.timeout(20):
            while (await client.get("/readyz")).status_code != 200:  # noqa: ASYNC110 - over HTTP
                await asyncio.sleep(0.05)


@asynccontextmanager
async def running_gateway(mesh: Mesh, **changed: Any) -> AsyncIterator[Gateway]:
    """A gateway with changed settings, which is ready unless ``wait_ready=False``; drained at the
    end."""
    wait_ready = changed.pop("wait_ready", True)
    clock = changed.pop("clock", SystemClock())
    started: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        serve(
            settings=mesh.settings(**changed),
            clock=clock,
            on_started=started.set_result,
        )
    )
    await first_done(started, serving)
    port = started.result().port
    async with AsyncExitStack() as clients:
        gateway = Gateway(
            url=f"http://127.0.0.1:{port}",
            port=port,
            mesh=mesh,
            stopping=started.result().stopping,
            ended=serving,
            probe_port=started.result().probe_port,
            clients=clients,
        )
        try:
            if wait_ready:
                await gateway.ready()
            yield gateway
        finally:
            gateway.stopping.set()
            await serving


class Wire:
    """A bare connection: sends what no HTTP library would."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, content: bytes) -> None:
        """Send bytes."""
        self.writer.write(content)
        await self.writer.drain()

    async def send_until_refused(self, pieces: Iterable[bytes]) -> bool:
        """Whether the connection was cut before all pieces were sent."""
        try:
            for piece in pieces:
                await self.send(piece)
        except ConnectionError:
            return True
        return False

    async def status(self) -> int:
        """The status of the next answer; 0 if the connection was closed without one."""
        async with asyncio.timeout(15):
            try:
                line = await self.reader.readline()
            except ConnectionResetError:
                return 0
        return int(line.split(b" ")[1]) if line else 0

    async def everything(self) -> bytes:
        """All there is until the connection closes."""
        async with asyncio.timeout(15):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""


@asynccontextmanager
async def wire(gateway: Gateway) -> AsyncIterator[Wire]:
    """A bare connection to a gateway."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()


@pytest.fixture(scope="session")
async def session_mesh(
    tmp_path_factory: pytest.TempPathFactory, nats_server: NatsServer
) -> AsyncIterator[Mesh]:
    """The fake services, once for all tests."""
    directory = tmp_path_factory.mktemp("gateway")
    ensure_certificates(directory, now=datetime.now(UTC))
    ensure_issuer(directory)
    mesh = Mesh(directory=directory, issuer=load_issuer(directory), nats=nats_server)
    devices = rpc_service(mesh.devices, device_pb2, device_pb2_grpc, "DeviceService")
    timelines = rpc_service(mesh.payments, timeline_pb2, timeline_pb2_grpc, "TimelineService")
    async with AsyncExitStack() as stack:
        merchants = rpc_service(mesh.merchants, merchant_pb2, merchant_pb2_grpc, "MerchantService")
        beside = {"barcode": [merchants, devices], "payment": [timelines]}
        for name, fake, module, grpc_module in (
            ("payment", mesh.payments, payment_pb2, payment_pb2_grpc),
            ("wallet", mesh.wallets, wallet_pb2, wallet_pb2_grpc),
            ("barcode", mesh.barcodes, barcode_pb2, barcode_pb2_grpc),
            ("ledger", mesh.ledger, ledger_pb2, ledger_pb2_grpc),
        ):
            mesh.ports[name] = await stack.enter_async_context(
                running_fake(
                    fake,
                    module=module,
                    grpc_module=grpc_module,
                    service=f"{name.title()}Service",
                    tls=mesh.tls(name),
                    beside=beside.get(name, []),
                )
            )
        yield mesh


@pytest.fixture
def mesh(session_mesh: Mesh) -> Mesh:
    """The fake services, in good health."""
    session_mesh.reset()
    return session_mesh


@pytest.fixture(scope="session")
async def session_gateway(session_mesh: Mesh) -> AsyncIterator[Gateway]:
    """One gateway with default settings."""
    async with running_gateway(session_mesh) as gateway:
        yield gateway


@pytest.fixture
def gateway(session_gateway: Gateway, mesh: Mesh) -> Gateway:
    """One gateway with default settings, in front of healthy services."""
    assert session_gateway.mesh is mesh, "one mesh per session"
    return session_gateway


@pytest.fixture
async def alice(gateway: Gateway) -> User:
    """A customer whom no other test knows."""
    return await gateway.user("customer")


@pytest.fixture
async def cafe(gateway: Gateway) -> User:
    """A merchant whom no other test knows."""
    return await gateway.user("merchant")


def event_batch(events: Sequence[payment_pb2.PaymentEvent]) -> bytes:
    """A message about events."""
    numbers = [event.number for event in events if event.number]
    batch = payment_queue_pb2.EventBatch(
        first_number=min(numbers, default=0), last_number=max(numbers, default=0), events=events
    )
    return batch.SerializeToString()


Publish = Callable[[Sequence[payment_pb2.PaymentEvent]], Any]


@pytest.fixture(scope="session")
async def publisher(nats_server: NatsServer) -> AsyncIterator[NatsClient]:
    """A connection as payment_svc has it."""
    client = NatsClient()
    await client.connect(
        nats_server.url_for("payment"),
        inbox_prefix="_INBOX_payment",
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.1,  # type: ignore[arg-type]
    )
    yield client
    await client.close()


@pytest.fixture
def publish(publisher: NatsClient) -> Publish:
    """Tell all gateways about events, in one message."""

    async def publish_events(events: Sequence[payment_pb2.PaymentEvent]) -> None:
        await publisher.publish("payments.event", event_batch(events))
        await publisher.flush()

    return publish_events
