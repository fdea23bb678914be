"""A channel that is made anew when the certificate was renewed: gRPC's credentials are fixed.

A stub binds its methods once, for ever, so each method here is a small thing that points to the
present channel's. ``channel.call`` looks that up and calls it: an attribute look-up per call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self
from weakref import WeakSet

import grpc

from chassis.logs import get_logger
from chassis.tls import Identity, TlsWatch

_LOG = get_logger(__name__)

_CONNECT_SECONDS = 5.0
"""How long a new channel may take to connect before it is decided whether it is used."""
_RETIRE_SECONDS = 60.0
"""How long the old one stays for calls under way; their deadlines are shorter."""

_DECIDED = (grpc.ChannelConnectivity.READY, grpc.ChannelConnectivity.TRANSIENT_FAILURE)


class Method:
    """A method of a stub. ``current`` is the present channel's."""

    __slots__ = ("__weakref__", "_arguments", "_kind", "_named", "current")

    def __init__(self, kind: str, arguments: Any, named: Any) -> None:
        self._kind, self._arguments, self._named = kind, arguments, named
        self.current: Any = None

    def bind(self, channel: grpc.aio.Channel) -> None:
        """From now on, call through this channel."""
        self.current = getattr(channel, self._kind)(*self._arguments, **self._named)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call it, as it is now."""
        return self.current(*arguments, **named)


class RenewingChannel(grpc.aio.Channel):
    """What stubs take for a channel. Belongs to the event loop that it was made on."""

    def __init__(
        self,
        make: Callable[[Identity], grpc.aio.Channel],
        *,
        watch: TlsWatch,
        every_seconds: float,
    ) -> None:
        self._make = make
        self._watch = watch
        self._every_seconds = every_seconds
        self._identity = watch.identity
        self._channel = make(self._identity)
        self._methods: WeakSet[Method] = WeakSet()
        self._retiring: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()
        self._renewing = asyncio.create_task(self._keep_renewed(), name="renew channel")

    async def renew(self) -> None:
        """Swap the channel if the files changed; calls under way go on over the old one.

        The new one connects first, so that no call waits for it. If it cannot, although the old one
        is connected, its certificate is not good for anything yet (the others do not know its
        authority): the old one stays, and this is tried again at the next turn.
        """
        identity = self._watch.look()
        if identity is self._identity:
            return
        channel = self._make(identity)
        if not await _connects(channel) and self._is_ready():
            _LOG.warning("renewed certificate does not connect: still the old one")
            await channel.close()
            return
        old, self._channel, self._identity = self._channel, channel, identity
        for method in self._methods:
            method.bind(channel)
        retiring = asyncio.create_task(self._retire(old), name="retire channel")
        self._retiring.add(retiring)
        retiring.add_done_callback(self._retiring.discard)

    async def _keep_renewed(self) -> None:
        while True:
            await asyncio.sleep(self._every_seconds)
            try:
                await self.renew()
            except Exception as error:  # noqa: BLE001 - the old channel still serves
                _LOG.error("channel not renewed", exc_info=error)

    async def _retire(self, old: grpc.aio.Channel) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), _RETIRE_SECONDS)
        await old.close()

    def _is_ready(self) -> bool:
        return self._channel.get_state() is grpc.ChannelConnectivity.READY

    def _method(self, kind: str, arguments: Any, named: Any) -> Any:
        method = Method(kind, arguments, named)
        method.bind(self._channel)
        self._methods.add(method)
        return method

    def unary_unary(self, *arguments: Any, **named: Any) -> Any:
        """As of any channel."""
        return self._method("unary_unary", arguments, named)

    def unary_stream(self, *arguments: Any, **named: Any) -> Any:
        """As of any channel."""
        return self._method("unary_stream", arguments, named)

    def stream_unary(self, *arguments: Any, **named: Any) -> Any:
        """As of any channel."""
        return self._method("stream_unary", arguments, named)

    def stream_stream(self, *arguments: Any, **named: Any) -> Any:
        """As of any channel."""
        return self._method("stream_stream", arguments, named)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """Of the present channel."""
        return self._channel.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Of the present channel."""
        await self._channel.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """Of the present channel."""
        await self._channel.channel_ready()

    async def close(self, grace: float | None = None) -> None:
        """Close it, and those that are retiring."""
        self._renewing.cancel()
        self._closing.set()
        await asyncio.wait([self._renewing, *self._retiring])
        await self._channel.close(grace)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def _connects(channel: grpc.aio.Channel) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(_CONNECT_SECONDS):
            state = channel.get_state(try_to_connect=True)
            while state not in _DECIDED:
                await channel.wait_for_state_change(state)
                state = channel.get_state()
            return state is grpc.ChannelConnectivity.READY
    return False
