"""Whether this process lives, and whether it can serve."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from chassis.probes import Probes
from gateway import answers
from gateway.operation import Call, Reply
from gateway.replies import json_reply
from gateway.upstream import Upstream

_LOOK_SECONDS = 0.1


class Readiness:
    """What the process waits for before it takes work.

    Each thing counts once it was there *once*. A dependency that goes away later makes requests
    fail with 503; taking all gateways out of service at the same time would not help anybody.
    """

    def __init__(
        self,
        *,
        upstream: Upstream,
        keys_loaded: Callable[[], bool],
        events_seen: Callable[[], bool],
    ) -> None:
        self._upstream = upstream
        self._answered: set[str] = set()
        self._checks: dict[str, Callable[[], bool]] = {
            "keys": keys_loaded,
            "events": events_seen,
            **{name: self._has_answered(name) for name in upstream.channels},
        }
        self.draining = False

    def waiting_for(self) -> list[str]:
        """What is missing; empty when the process is ready."""
        if self.draining:
            return ["end"]
        return [name for name, there in self._checks.items() if not there()]

    async def run(self, probes: Probes) -> None:
        """Ask every service until each has answered once, and tell the probes when all is there:
        once it is, it stays."""
        await asyncio.gather(*(self._ask(name) for name in self._upstream.channels))
        while self.waiting_for():  # noqa: ASYNC110 - of things that nobody announces
            await asyncio.sleep(_LOOK_SECONDS)
        probes.ready = True

    async def _ask(self, name: str) -> None:
        await self._upstream.wait_until_answering(name)
        self._answered.add(name)

    def _has_answered(self, name: str) -> Callable[[], bool]:
        return lambda: name in self._answered


class HealthApi:
    """Handlers of /healthz and /readyz."""

    def __init__(self, *, readiness: Readiness) -> None:
        self._readiness = readiness

    async def live(self, _call: Call) -> Reply:
        """GET /healthz: 200 as long as the process answers at all."""
        return json_reply(answers.Health(status="ok"))

    async def ready(self, _call: Call) -> Reply:
        """GET /readyz: 200 when it can serve, otherwise 503 with what it waits for."""
        missing = self._readiness.waiting_for()
        answer = answers.Readiness(status="not-ready" if missing else "ready", waiting_for=missing)
        return json_reply(answer, status=503 if missing else 200)
