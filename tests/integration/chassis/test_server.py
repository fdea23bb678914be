"""Server and channel, over real mutual TLS: who may call, what is told, how a process stops.

The service is a made-up one behind a contract of the project: any contract would do.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from opentelemetry import trace

from chassis import rpc_metrics
from chassis.channel import call, deadline, open_channel
from chassis.clock import SystemClock
from chassis.errors import (
    DeadlineExceeded,
    InvalidArgument,
    Overloaded,
    PermissionDenied,
    ServiceError,
    Unavailable,
)
from chassis.server import Background, RpcService, Serving, is_ready, serve
from chassis.settings import ProcessSettings
from chassis.telemetry import context_of
from chassis.tls import TlsFiles
from embedded.certificates import ensure_certificates, tls_files
from qrpay.ledger.v1 import ledger_pb2, ledger_pb2_grpc

SERVICE = "qrpay.ledger.v1.LedgerService"
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
READERS = {"gateway", "operator"}
CALLERS = {
    "BatchGetAccounts": READERS,
    "ListAccounts": READERS,
    "GetTransaction": READERS,
    "GetTrialBalance": {"operator"},
    "GetReceipt": READERS,
    "ListReceiptKeys": READERS,
}

Behaviour = Callable[[], Awaitable[None]]


class Servicer(ledger_pb2_grpc.LedgerServiceServicer):
    """Does what the test says, then answers what it was asked."""

    def __init__(self) -> None:
        self.behaviour: Behaviour | None = None
        self.calls = 0

    async def GetTransaction(self, request: Any, context: Any) -> Any:
        """Echoes."""
        self.calls += 1
        if self.behaviour:
            await self.behaviour()
        transaction = ledger_pb2.Transaction(payment_id=request.payment_id)
        return ledger_pb2.GetTransactionResponse(transaction=transaction)

    async def GetTrialBalance(self, request: Any, context: Any) -> Any:
        """Only for operators."""
        return ledger_pb2.GetTrialBalanceResponse(balanced=True)

    async def BatchGetAccounts(self, request: Any, context: Any) -> Any:
        """Nobody asks."""
        raise NotImplementedError

    async def GetReceipt(self, request: Any, context: Any) -> Any:
        """Nobody asks."""
        raise NotImplementedError

    async def ListReceiptKeys(self, request: Any, context: Any) -> Any:
        """Nobody asks."""
        raise NotImplementedError

    async def ListAccounts(self, request: Any, context: Any) -> Any:
        """Nobody asks."""
        raise NotImplementedError


def service(servicer: Servicer, **changes: Any) -> RpcService:
    """The service as ``serve`` takes it."""
    fields: dict[str, Any] = {
        "descriptor": ledger_pb2.DESCRIPTOR.services_by_name["LedgerService"],
        "register": ledger_pb2_grpc.add_LedgerServiceServicer_to_server,
        "servicer": servicer,
        "allowed_callers": CALLERS,
    }
    return RpcService(**{**fields, **changes})


class Process:
    """A process of the mesh in this one: what it serves, and ways to call it."""

    def __init__(
        self, serving: Serving, task: asyncio.Task[None], tls_of: Callable[[str], TlsFiles]
    ) -> None:
        self.serving = serving
        self.task = task
        self._tls_of = tls_of
        self._stack = AsyncExitStack()

    def channel(self, identity: str, *, expected: str = "ledger") -> Any:
        """A channel with the certificate of an identity."""
        channel = open_channel(
            f"127.0.0.1:{self.serving.port}", identity=expected, tls=self._tls_of(identity)
        )
        self._stack.push_async_callback(channel.close)
        return channel

    async def echo(
        self, text: str = "hello", *, identity: str = "gateway", timeout_seconds: float = 5.0
    ) -> str:
        """Calls the service."""
        stub: Any = ledger_pb2_grpc.LedgerServiceStub(self.channel(identity))
        request = ledger_pb2.GetTransactionRequest(payment_id=text)
        response = await call(stub.GetTransaction, request, timeout_seconds=timeout_seconds)
        return str(response.transaction.payment_id)

    async def health(self, name: str = SERVICE, *, identity: str = "wallet") -> Any:
        """What the health service says."""
        stub: Any = health_pb2_grpc.HealthStub(self.channel(identity))
        request = health_pb2.HealthCheckRequest(service=name)
        return (await stub.Check(request, timeout=5)).status

    async def stop(self) -> None:
        """As SIGTERM does."""
        self.serving.stopping.set()
        await self.task

    async def close(self) -> None:
        """Close the channels, and the process if it still runs."""
        await self._stack.aclose()
        if not self.task.done():
            await self.stop()


@pytest.fixture(scope="module")
def tls_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], TlsFiles]:
    """Gives the certificate of an identity."""
    directory = tmp_path_factory.mktemp("certificates")
    ensure_certificates(directory, now=SystemClock().now())
    return lambda identity: tls_files(directory, identity)


Run = Callable[..., Any]


@pytest.fixture
def run(tls_of: Callable[[str], TlsFiles]) -> Run:
    """Runs a process of the mesh for a block."""

    @asynccontextmanager
    async def run(
        *,
        services: Sequence[RpcService] = (),
        background: Sequence[Background] = (),
        readiness: Callable[[], Awaitable[bool]] | None = None,
        **settings: Any,
    ) -> AsyncIterator[Process]:
        tls = tls_of("ledger")
        started: asyncio.Future[Serving] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(
            serve(
                settings=ProcessSettings(
                    tls_cert_file=tls.cert_file,
                    tls_key_file=tls.key_file,
                    tls_ca_file=tls.ca_file,
                    **{"drain_seconds": 5.0, **settings},
                ),
                services=services,
                background=background,
                readiness=readiness,
                on_started=started.set_result,
            )
        )
        process = Process(await started, task, tls_of)
        try:
            yield process
        finally:
            await process.close()

    return run


@pytest.fixture
def servicer() -> Servicer:
    """The service's behaviour."""
    return Servicer()


async def test_a_call_is_answered(run: Run, servicer: Servicer) -> None:
    """Request in, response out, over mutual TLS."""
    async with run(services=[service(servicer)]) as process:
        assert await process.echo("hello") == "hello"


async def test_callers_are_checked_per_method(run: Run, servicer: Servicer) -> None:
    """A valid certificate is not enough: each method names who may call it."""
    async with run(services=[service(servicer)]) as process:
        with pytest.raises(ServiceError) as caught:
            await process.echo(identity="payment")
        assert caught.value.reason == PermissionDenied.reason
        assert caught.value.metadata == {"caller": "payment"}
        assert servicer.calls == 0
        request = ledger_pb2.GetTrialBalanceRequest()
        for identity, allowed in (("operator", True), ("gateway", False)):
            stub: Any = ledger_pb2_grpc.LedgerServiceStub(process.channel(identity))
            try:
                answer = await call(stub.GetTrialBalance, request, timeout_seconds=5)
                is_allowed = bool(answer.balanced)
            except ServiceError as error:
                is_allowed = error.reason != PermissionDenied.reason
            assert is_allowed == allowed


async def test_strangers_do_not_get_in(
    run: Run, servicer: Servicer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No certificate, one of another authority, no TLS at all: no call, not even to health."""
    other = tmp_path_factory.mktemp("other")
    ensure_certificates(other, now=SystemClock().now())
    async with run(services=[service(servicer)]) as process:
        ours = process._tls_of("operator").ca_file.read_bytes()
        theirs = tls_files(other, "operator")
        target = f"127.0.0.1:{process.serving.port}"
        options = [("grpc.ssl_target_name_override", "ledger.qrpay.internal")]
        credentials = {
            "no certificate": grpc.ssl_channel_credentials(root_certificates=ours),
            "another authority": grpc.ssl_channel_credentials(
                root_certificates=ours,
                private_key=theirs.key_file.read_bytes(),
                certificate_chain=theirs.cert_file.read_bytes(),
            ),
        }
        channels = [
            grpc.aio.secure_channel(target, item, options=options) for item in credentials.values()
        ]
        for channel in [*channels, grpc.aio.insecure_channel(target)]:
            stub: Any = health_pb2_grpc.HealthStub(channel)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.Check(health_pb2.HealthCheckRequest(), timeout=5)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
            await channel.close()


async def test_a_server_must_prove_who_it_is(run: Run, servicer: Servicer) -> None:
    """A process with the certificate of another identity is not talked to."""
    async with run(services=[service(servicer)]) as process:
        stub: Any = ledger_pb2_grpc.LedgerServiceStub(process.channel("gateway", expected="wallet"))
        with pytest.raises(Unavailable):
            await call(stub.GetTransaction, ledger_pb2.GetTransactionRequest(), timeout_seconds=2)
        assert servicer.calls == 0


async def test_errors_cross_the_wire(run: Run, servicer: Servicer) -> None:
    """Reason, fields and metadata as they were raised; what is not ours is a bare INTERNAL."""

    class Broken(ServiceError):
        """A rule is broken."""

        code = grpc.StatusCode.FAILED_PRECONDITION
        reason = "BROKEN_RULE"

    raised: list[Exception] = [
        Broken(payment_id="pay_1"),
        InvalidArgument([("amount", "is zero")]),
        RuntimeError("password hunter2"),
    ]

    async def fail() -> None:
        raise raised[0]

    servicer.behaviour = fail
    async with run(services=[service(servicer)]) as process:
        told = []
        while raised:
            with pytest.raises(ServiceError) as caught:
                await process.echo()
            told.append(caught.value)
            raised.pop(0)
    assert [error.reason for error in told] == ["BROKEN_RULE", "INVALID_ARGUMENT", "INTERNAL"]
    assert told[0].metadata == {"payment_id": "pay_1"}
    assert told[1].violations == (("amount", "is zero"),)
    assert "hunter2" not in f"{told[2]} {told[2].metadata}"


async def test_a_deadline_ends_both_sides(run: Run, servicer: Servicer) -> None:
    """The caller is told, and the handler does not go on for nobody."""
    cancelled = asyncio.Event()

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    servicer.behaviour = hang
    async with run(services=[service(servicer)]) as process:
        with pytest.raises(ServiceError) as caught:
            await process.echo(timeout_seconds=0.3)
        assert caught.value.reason == DeadlineExceeded.reason
        async with asyncio.timeout(5):
            await cancelled.wait()


async def test_a_deadline_is_passed_on(run: Run, servicer: Servicer) -> None:
    """A handler's own calls get no more time than its caller has left, and less than that."""
    inside: list[float] = []

    async def note() -> None:
        ends_at = deadline.get()
        assert ends_at is not None
        inside.append(ends_at - asyncio.get_running_loop().time())
        if len(inside) == 1:
            assert await process.echo(timeout_seconds=60) == "hello"

    servicer.behaviour = note
    async with run(services=[service(servicer)]) as process:
        assert await process.echo(timeout_seconds=3.0) == "hello"
    outer, inner = inside
    assert 0 < inner < outer <= 3.0


async def test_without_time_left_nothing_is_called(run: Run, servicer: Servicer) -> None:
    """A call that could only be answered too late is not made."""
    async with run(services=[service(servicer)]) as process:
        token = deadline.set(asyncio.get_running_loop().time() + 0.001)
        try:
            with pytest.raises(DeadlineExceeded):
                await process.echo()
        finally:
            deadline.reset(token)
        assert servicer.calls == 0


async def test_a_trace_goes_through(run: Run, servicer: Servicer) -> None:
    """The callee's span is in the caller's trace."""
    seen: list[int] = []

    async def note() -> None:
        seen.append(trace.get_current_span().get_span_context().trace_id)

    servicer.behaviour = note
    async with run(services=[service(servicer)]) as process:
        with trace.use_span(trace.get_current_span(context_of(TRACEPARENT))):
            await process.echo()
        await process.echo()
    assert seen == [0x0AF7651916CD43DD8448EB211C80319C, 0]


async def test_an_outage_is_tried_again_by_the_channel(run: Run, servicer: Servicer) -> None:
    """UNAVAILABLE is repeated a few times before the caller hears of it; a broken rule never is."""
    errors: list[ServiceError] = [Unavailable(), Unavailable()]

    async def fail() -> None:
        if errors:
            raise errors.pop()

    servicer.behaviour = fail
    async with run(services=[service(servicer)]) as process:
        assert await process.echo() == "hello"
        assert servicer.calls == 3
        errors.append(InvalidArgument([("amount", "is zero")]))
        with pytest.raises(ServiceError):
            await process.echo()
        assert servicer.calls == 4


async def test_too_many_calls_are_refused(run: Run, servicer: Servicer) -> None:
    """A full process says so at once instead of letting everybody wait; and it says that it lives,
    or it would be restarted for being busy."""
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        entered.set()
        await go_on.wait()

    servicer.behaviour = wait
    async with run(services=[service(servicer)], rpcs_concurrent_max=1) as process:
        first = asyncio.create_task(process.echo("first"))
        await entered.wait()
        with pytest.raises(ServiceError) as caught:
            await process.echo("second")
        assert (caught.value.reason, caught.value.retryable) == (Overloaded.reason, True)
        assert await process.health("") == await process.health() == SERVING
        go_on.set()
        assert await first == "first"
        assert await process.echo("third") == "third"


async def test_health_follows_readiness(run: Run, servicer: Servicer) -> None:
    """The service's health says whether it can work, that of the process only that it lives; every
    identity may ask."""
    answers: list[bool | Exception] = [True, False, True, Unavailable()]

    async def readiness() -> bool:
        if isinstance(answers[0], Exception):
            raise answers[0]
        return answers[0]

    async def until(process: Process, status: Any) -> None:
        async with asyncio.timeout(10):
            while await process.health() != status:
                pass

    async with run(services=[service(servicer)], readiness=readiness) as process:
        for status in (SERVING, NOT_SERVING, SERVING, NOT_SERVING):
            await until(process, status)
            assert await process.health("") == SERVING
            answers[:-1] = answers[1:]


async def test_an_answer_that_does_not_come_is_no() -> None:
    """Readiness that hangs must not hang the process."""

    async def hang() -> bool:
        await asyncio.Event().wait()
        return True

    assert await is_ready(None) is True
    assert await is_ready(hang) is False


async def test_reflection_lists_the_services(run: Run, servicer: Servicer) -> None:
    """Tools find out what can be called; every identity may ask."""
    async with run(services=[service(servicer)]) as process:
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(process.channel("barcode"))
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        async for answer in stub.ServerReflectionInfo(iter([request])):
            names = {item.name for item in answer.list_services_response.service}
            break
    assert {SERVICE, "grpc.health.v1.Health"} <= names


async def test_stopping_finishes_what_was_begun(run: Run, servicer: Servicer) -> None:
    """Drain: calls in flight are answered, new ones refused, background work ends in good order."""
    entered, go_on, order = asyncio.Event(), asyncio.Event(), []

    async def wait() -> None:
        entered.set()
        await go_on.wait()
        order.append("call")

    async def work(stop: asyncio.Event) -> None:
        await stop.wait()
        order.append("background")
        go_on.set()

    servicer.behaviour = wait
    async with run(services=[service(servicer)], background=[Background("work", work)]) as process:
        call_in_flight = asyncio.create_task(process.echo("in flight"))
        await entered.wait()
        await process.stop()
        assert await call_in_flight == "in flight"
        with pytest.raises(Unavailable):
            await process.echo(timeout_seconds=1)
    assert order == ["background", "call"]


async def test_health_says_so_before_the_door_closes(run: Run, servicer: Servicer) -> None:
    """With a drain delay, load balancers see NOT_SERVING while calls are still answered."""
    async with run(services=[service(servicer)], drain_delay_seconds=1.0) as process:
        channel = process.channel("wallet")
        stub: Any = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest(service=SERVICE)
        watch = stub.Watch(request)
        statuses = []
        async for answer in watch:
            statuses.append(answer.status)
            if answer.status == SERVING:
                process.serving.stopping.set()
            elif SERVING in statuses:
                break
        assert await process.echo() == "hello"
        watch.cancel()
        await process.task
    assert statuses[-1] == NOT_SERVING


async def test_background_work_that_is_late_is_cancelled(run: Run) -> None:
    """A process stops within its drain time, whatever hangs."""
    cancelled = []

    async def hang(stop: asyncio.Event) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async with run(background=[Background("hang", hang)], drain_seconds=0.1) as process:
        async with asyncio.timeout(10):
            await process.stop()
    assert cancelled == [True]


async def test_background_work_that_fails_ends_the_process(run: Run, servicer: Servicer) -> None:
    """A process without its consumer only looks alive: it ends, so that it is started again."""
    fail = asyncio.Event()

    async def work(stop: asyncio.Event) -> None:
        await fail.wait()
        raise RuntimeError("a defect")

    async with run(services=[service(servicer)], background=[Background("work", work)]) as process:
        assert await process.echo() == "hello"
        fail.set()
        with pytest.raises(RuntimeError, match="a defect"):
            await process.task


@pytest.mark.parametrize(
    "callers",
    [
        {name: READERS for name in CALLERS if name != "ListAccounts"},
        {**CALLERS, "ListAccount": READERS},
    ],
)
def test_every_method_names_its_callers(servicer: Servicer, callers: dict[str, set[str]]) -> None:
    """A forgotten or misspelt method does not start: nothing is open by oversight."""
    with pytest.raises(AssertionError):
        service(servicer, allowed_callers=callers)


def counts(histogram: Any) -> dict[tuple[str, str, str], int]:
    """How many calls of our service's method ended how, by status and error type."""
    return {
        (
            point.attributes["rpc.method"].rpartition("/")[2],
            point.attributes["rpc.response.status_code"],
            point.attributes.get("error.type", ""),
        ): sum(point.bucket_counts)
        for point in histogram.points()
        if point.attributes["rpc.method"].startswith(SERVICE)
    }


class Ends:
    """The ends of calls since it was made, on both sides."""

    def __init__(self) -> None:
        self._before = counts(rpc_metrics._SERVED), counts(rpc_metrics._MADE)

    @property
    def served(self) -> dict[tuple[str, str, str], int]:
        """Of those served."""
        return _risen(counts(rpc_metrics._SERVED), self._before[0])

    @property
    def made(self) -> dict[tuple[str, str, str], int]:
        """Of those made."""
        return _risen(counts(rpc_metrics._MADE), self._before[1])


def _risen(now: dict[Any, int], before: dict[Any, int]) -> dict[Any, int]:
    return {key: risen for key in now if (risen := now[key] - before.get(key, 0))}


async def test_every_end_of_a_call_is_counted(run: Run, servicer: Servicer) -> None:
    """Goal: rate, errors and duration of each method, on both sides: answers, refusals (which are
    no errors), faults of ours, callers who may not."""

    class Refused(ServiceError):
        """A rule is broken."""

        code = grpc.StatusCode.FAILED_PRECONDITION

    raised: list[Exception | None] = [None, Refused(), RuntimeError("broken"), Overloaded()]

    async def behave() -> None:
        if (error := raised.pop(0)) is not None:
            raise error

    servicer.behaviour = behave
    ends = Ends()
    async with run(services=[service(servicer)]) as process:
        while raised:
            with suppress(ServiceError):
                await process.echo()
        with pytest.raises(ServiceError):
            await process.echo(identity="payment")
    wanted = {
        ("GetTransaction", "OK", ""): 1,
        ("GetTransaction", "FAILED_PRECONDITION", ""): 1,
        ("GetTransaction", "INTERNAL", "INTERNAL"): 1,
        ("GetTransaction", "RESOURCE_EXHAUSTED", "RESOURCE_EXHAUSTED"): 1,
        ("GetTransaction", "PERMISSION_DENIED", ""): 1,
    }
    assert ends.served == wanted
    assert ends.made == wanted


async def test_calls_that_nobody_waits_for_are_counted(run: Run, servicer: Servicer) -> None:
    """Goal: a caller that hangs up, and a process that is not there, are seen: the calls that are
    missing among the answers are those that matter."""
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    servicer.behaviour = hang
    ends = Ends()
    async with run(services=[service(servicer)]) as process:
        calling = asyncio.create_task(process.echo())
        await begun.wait()
        calling.cancel()
        await asyncio.wait([calling])
        async with asyncio.timeout(10):
            await cancelled.wait()
            while not ends.served:  # noqa: ASYNC110 - counted a moment after the handler ended
                await asyncio.sleep(0.01)
        assert ends.served == {("GetTransaction", "CANCELLED", ""): 1}
        assert ends.made == {("GetTransaction", "CANCELLED", ""): 1}
        stub: Any = ledger_pb2_grpc.LedgerServiceStub(process.channel("gateway"))
        await process.stop()
        with pytest.raises(Unavailable):
            await call(stub.GetTransaction, ledger_pb2.GetTransactionRequest(), timeout_seconds=1)
    assert ends.made[("GetTransaction", "UNAVAILABLE", "UNAVAILABLE")] == 1


async def test_methods_that_do_not_exist_make_no_series(run: Run, servicer: Servicer) -> None:
    """Goal: who calls what nobody serves cannot fill our memory with its names."""
    before = {point.attributes["rpc.method"] for point in rpc_metrics._SERVED.points()}
    async with run(services=[service(servicer)]) as process:
        channel = process.channel("gateway")
        for number in range(5):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await channel.unary_unary(f"/{SERVICE}/Made{number}")(b"", timeout=5)
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    after = {point.attributes["rpc.method"] for point in rpc_metrics._SERVED.points()}
    assert after == before


async def test_a_stub_tells_its_methods_name() -> None:
    """Goal: calls are counted under the name of the method; grpc keeps it where nobody promises it
    will stay."""
    async with grpc.aio.insecure_channel("127.0.0.1:1") as channel:
        stub = ledger_pb2_grpc.LedgerServiceStub(channel)
        assert rpc_metrics.method_name(stub.GetTransaction) == f"{SERVICE}/GetTransaction"
    assert rpc_metrics.method_name(test_a_stub_tells_its_methods_name) == "_OTHER"
