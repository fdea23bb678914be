"""A connection to NATS that never gives up, and publishing with an awaited acknowledgement."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import nats.errors
from nats.aio.client import Client

from chassis.errors import OutcomeUnknown, Unavailable
from chassis.jetstream.addresses import NatsAddresses
from chassis.jetstream.measuring import sending
from chassis.jetstream.session import Session, settle
from chassis.jetstream.specs import ConsumerSpec, StreamSpec, differs, stream_of
from chassis.logs import get_logger
from chassis.settings import Secret
from chassis.tls import ClientContext, TlsFiles

_LOG = get_logger(__name__)

_RECONNECT_SECONDS = 0.5
_PING_SECONDS = 5
_CLOSE_SECONDS = 5.0
_API_SECONDS = 3.0
_REPEATED_ERROR_SECONDS = 30.0
"""An error that comes again and again is logged this often."""

_NOT_FOUND = 404

_CONNECTION: dict[str, Any] = {
    "allow_reconnect": True,
    "max_reconnect_attempts": -1,
    "reconnect_time_wait": _RECONNECT_SECONDS,
    "ping_interval": _PING_SECONDS,
    "max_outstanding_pings": 2,
    "pending_size": 16 * 1024 * 1024,
    # When its buffer is full, nats-py would wait for ever, and swallow the waiter's cancellation.
    "flush_timeout": _API_SECONDS,
}


class NoResponders(Unavailable):
    """Nobody listens on this subject of the queue."""


class ApiError(Unavailable):
    """The queue refused."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__()
        self.status = int(error.get("code", 0))
        self.description = f"{error.get('description')} ({error.get('err_code')})"


@dataclass(frozen=True)
class PublishAck:
    """Where a message was stored; ``duplicate``: it had been before, under the same id."""

    stream: str
    sequence: int
    duplicate: bool


@dataclass(frozen=True)
class StoredMessage:
    """A message as a stream keeps it; ``time`` is when it was stored, RFC 3339."""

    subject: str
    data: bytes
    time: str


class JetStream:
    """The queue, as one process sees it. Made by ``connect``; belongs to one event loop."""

    def __init__(
        self,
        *,
        make_client: Callable[[], Client],
        options: dict[str, Any],
        name: str,
        streams: Sequence[StreamSpec],
    ) -> None:
        self._make_client = make_client
        self._options = options
        self._name = name
        self._streams = tuple(streams)
        self._session: Session | None = None
        self._connected = asyncio.Event()
        self._declaring: asyncio.Task[None] | None = None
        self._last_error = ("", 0.0)

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection now: for readiness."""
        return self._connected.is_set()

    async def session(self) -> Session:
        """The present connection; waits until there is one."""
        while self._session is None:
            await self._connected.wait()
        return self._session

    async def publish(
        self, subject: str, payload: bytes, *, message_id: str, timeout_seconds: float = 5.0
    ) -> PublishAck:
        """Store a message and wait until the queue says that it has.

        May be repeated with the same ``message_id``: within the stream's duplicate window it is
        stored once. If no stream takes the subject, the streams are declared again and it is tried
        once more. Raises ``Unavailable`` if the message was not stored; ``OutcomeUnknown``, a kind
        of it, if the acknowledgement did not come in time, or the connection broke first.
        """
        with sending(stream_of(subject, self._streams)):
            return await self._publish(subject, payload, message_id, timeout_seconds)

    async def _publish(
        self, subject: str, payload: bytes, message_id: str, timeout_seconds: float
    ) -> PublishAck:
        headers = {"Nats-Msg-Id": message_id}
        try:
            async with asyncio.timeout(timeout_seconds):
                try:
                    reply = await self._request(subject, payload, timeout_seconds, headers)
                except NoResponders:
                    await self.declare()
                    reply = await self._request(subject, payload, timeout_seconds, headers)
        except TimeoutError:
            raise OutcomeUnknown from None
        if "error" in reply:
            refused = ApiError(reply["error"])
            _LOG.error("publish_refused", subject=subject, reason=refused.description)
            raise refused
        return PublishAck(reply["stream"], reply["seq"], reply.get("duplicate", False))

    async def tell(self, subject: str, payload: bytes) -> None:
        """Send a message to whoever listens right now. Nobody keeps it; it may get lost."""
        if self._session is not None:
            with suppress(nats.errors.ConnectionClosedError, nats.errors.OutboundBufferLimitError):
                await self._session.client.publish(subject, payload)

    async def declare(self) -> None:
        """Create or update this process's streams. Many who ask at a time share one round.

        A stream that exists stays in use even if this user may not update it. Raises
        ``Unavailable`` if one does not exist and cannot be created now.
        """
        await asyncio.shield(self._declaration())

    async def declare_consumer(self, spec: ConsumerSpec) -> dict[str, Any]:
        """Create or update a consumer; answers the server's information about it.

        Raises ``Unavailable`` if it does not exist and cannot be created now.
        """
        where = f"{spec.stream}.{spec.name}"
        info = await self.consumer_info(spec)
        if info is not None and not differs(info["config"], spec.config()):
            return info
        config = {**(info["config"] if info else {}), **spec.config()}
        verb = f"CONSUMER.CREATE.{where}"
        if spec.filter_subject:
            verb += f".{spec.filter_subject}"
        try:
            created = await self._api(verb, {"stream_name": spec.stream, "config": config})
        except Unavailable as error:
            if info is None:
                raise
            _LOG.warning("consumer_not_updated", consumer=where, error=_describe(error))
            return info
        _LOG.info("consumer_updated" if info else "consumer_created", consumer=where)
        return created

    async def consumer_info(self, spec: ConsumerSpec) -> dict[str, Any] | None:
        """The server's information about a consumer; None if there is none. Raises Unavailable."""
        return await self._find(f"CONSUMER.INFO.{spec.stream}.{spec.name}")

    async def stored_message(
        self, stream: str, sequence: int, *, subject: str = ""
    ) -> StoredMessage | None:
        """A message of a stream by its number, or the first from there on with a ``subject``; None
        if it, or the stream, is gone. Raises Unavailable."""
        wanted = {"seq": sequence, **({"next_by_subj": subject} if subject else {})}
        try:
            reply = await self._api(f"STREAM.MSG.GET.{stream}", wanted)
        except ApiError as error:
            if error.status == _NOT_FOUND:
                return None
            raise
        found = reply["message"]
        return StoredMessage(found["subject"], b64decode(found.get("data", "")), found["time"])

    async def remove_subject(self, stream: str, subject: str) -> int:
        """Remove what a stream keeps under a subject; answers how many messages. By subject and not
        by number: after a loss of the store, the number may be another message's. Raises
        Unavailable."""
        try:
            reply = await self._api(f"STREAM.PURGE.{stream}", {"filter": subject})
        except ApiError as error:
            if error.status == _NOT_FOUND:
                return 0
            raise
        return int(reply.get("purged", 0))

    async def stop_declaring(self) -> None:
        """Leave no task behind."""
        if self._declaring is not None and not self._declaring.done():
            self._declaring.cancel()
            await asyncio.wait([self._declaring])

    def _declaration(self) -> asyncio.Task[None]:
        if self._declaring is None or self._declaring.done():
            self._declaring = asyncio.create_task(self._declare(), name="declare streams")
            self._declaring.add_done_callback(_log_failure)
        return self._declaring

    async def _declare(self) -> None:
        for spec in self._streams:
            await self._declare_stream(spec)

    async def _declare_stream(self, spec: StreamSpec) -> None:
        info = await self._find(f"STREAM.INFO.{spec.name}")
        if info is None:
            await self._api(f"STREAM.CREATE.{spec.name}", spec.config())
            _LOG.info("stream_created", stream=spec.name)
        elif differs(info["config"], spec.config()):
            try:
                await self._api(f"STREAM.UPDATE.{spec.name}", {**info["config"], **spec.config()})
                _LOG.info("stream_updated", stream=spec.name)
            except Unavailable as error:
                # Not ours to change, or not changeable: better an odd stream than no payments.
                _LOG.warning("stream_not_updated", stream=spec.name, error=_describe(error))

    async def _find(self, verb: str) -> dict[str, Any] | None:
        try:
            return await self._api(verb, {})
        except ApiError as error:
            if error.status == _NOT_FOUND:
                return None
            raise

    async def _api(self, verb: str, body: dict[str, Any]) -> dict[str, Any]:
        """One call of the JetStream API. A call that is not permitted is never answered."""
        reply = await self._request(f"$JS.API.{verb}", json.dumps(body).encode(), _API_SECONDS)
        if "error" in reply:
            raise ApiError(reply["error"])
        return reply

    async def _request(
        self,
        subject: str,
        payload: bytes,
        timeout_seconds: float,
        headers: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        session = self._session
        if session is None:
            raise Unavailable
        try:
            async with session.within(timeout_seconds):
                # One subscription serves all requests in flight; each waits for its own reply.
                reply = await session.client.request(
                    subject, payload, timeout=timeout_seconds, headers=headers
                )
        except nats.errors.NoRespondersError as error:
            raise NoResponders from error
        except TimeoutError as error:  # nats-py's own is one, too
            raise OutcomeUnknown from error
        except nats.errors.MaxPayloadError:
            raise  # no repeat will help
        except (nats.errors.Error, OSError) as error:
            raise Unavailable from error
        answer: dict[str, Any] = json.loads(reply.data)
        return answer

    async def stay_connected(self) -> None:
        """Connect, and connect again, until cancelled."""
        while True:
            client, closed = self._make_client(), asyncio.Event()
            try:
                await self._connect(client, closed)
                await closed.wait()
                _LOG.warning("nats_closed", name=self._name)
            except Exception as error:  # noqa: BLE001 - nothing may end this loop
                _LOG.error("nats_connect_failed", error=type(error).__name__)
            finally:
                self._end_session()
                await _close(client)
            # nats-py reconnects by itself, but closes for good after some errors of the server.
            await asyncio.sleep(_RECONNECT_SECONDS)

    async def _connect(self, client: Client, closed: asyncio.Event) -> None:
        async def on_reconnected() -> None:
            self._begin_session(client)

        async def on_disconnected() -> None:
            if self._session is not None:
                _LOG.warning("nats_disconnected", name=self._name)
            self._end_session()

        async def on_closed() -> None:
            closed.set()

        await client.connect(
            **self._options,
            name=self._name,
            **_CONNECTION,
            error_cb=self._on_error,
            reconnected_cb=on_reconnected,
            disconnected_cb=on_disconnected,
            closed_cb=on_closed,
        )
        self._begin_session(client)

    def _begin_session(self, client: Client) -> None:
        self._session = Session(client)
        self._connected.set()
        _LOG.info("nats_connected", name=self._name)
        self._declaration()

    def _end_session(self) -> None:
        self._connected.clear()
        if self._session is not None:
            session, self._session = self._session, None
            session.end()

    async def _on_error(self, error: Exception) -> None:
        text, now = f"{type(error).__name__}: {error}", asyncio.get_running_loop().time()
        if text != self._last_error[0] or now > self._last_error[1] + _REPEATED_ERROR_SECONDS:
            self._last_error = (text, now)
            _LOG.warning("nats_error", name=self._name, error=text)


@asynccontextmanager
async def connect(
    url: Secret | str,
    *,
    name: str,
    streams: Sequence[StreamSpec] = (),
    tls: TlsFiles | None = None,
) -> AsyncIterator[JetStream]:
    """Connect in the background, for as long as the context lives.

    The queue may be away at any time, also now: then ``is_connected`` is false, publishing raises
    ``Unavailable``, consumers wait, and everything goes on when it is back. ``streams`` are
    declared when a connection begins, and when publishing or consuming finds them gone.

    ``url``: ``nats://user:password@host:port``; several, separated by commas, for a cluster. With
    ``tls://`` the server must prove its host name, and is shown the certificate of ``tls``: what
    the files hold whenever a connection is made. Without ``tls``, none, and authorities are those
    of the system. Inboxes begin with ``_INBOX_<user>``, so that users cannot read each other's.
    Raises ValueError.
    """
    addresses = NatsAddresses(url.reveal() if isinstance(url, Secret) else url, name=name)
    context = ClientContext.of(tls) if tls is not None and addresses.encrypted else None
    jetstream = JetStream(
        make_client=addresses.client, options=addresses.options(context), name=name, streams=streams
    )
    connecting = asyncio.create_task(jetstream.stay_connected(), name="nats connection")
    try:
        yield jetstream
    finally:
        connecting.cancel()
        await asyncio.wait([connecting])
        await jetstream.stop_declaring()


async def _close(client: Client) -> None:
    try:
        async with asyncio.timeout(_CLOSE_SECONDS):
            if client.is_connected:
                await settle(client, timeout_seconds=1)  # the last acknowledgements
            await client.close()
    except Exception as error:  # noqa: BLE001 - it is gone either way
        _LOG.warning("nats_close_failed", error=type(error).__name__)


def _log_failure(declaring: asyncio.Task[None]) -> None:
    if not declaring.cancelled() and (error := declaring.exception()) is not None:
        _LOG.warning("streams_not_declared", error=_describe(error))


def _describe(error: BaseException) -> str:
    return error.description if isinstance(error, ApiError) else type(error).__name__
