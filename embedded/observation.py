"""What works and what does not, asked of every member of a running stack at this moment."""

from __future__ import annotations

import asyncio

import msgspec

from embedded.child import Check, run_check
from embedded.errors import NotReady
from embedded.health import process_check
from embedded.layout import Layout
from embedded.nats import check_nats
from embedded.prometheus import check_prometheus
from embedded.provision import check_sign_in
from embedded.state import Member, is_alive, running_state
from embedded.valkey import check_valkey

__all__ = ["Observation", "StackStatus", "observe", "running_state"]

_SERVER_CHECKS = {
    "postgres": check_sign_in,
    "nats": check_nats,
    "valkey": check_valkey,
    "prometheus": check_prometheus,
}


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """One member, and whether it did what it was asked just now."""

    member: Member
    healthy: bool
    reason: str = ""
    """Why it is not healthy."""


class StackStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The whole stack at one moment."""

    ready: bool
    """Whether it has started, with everything in it."""
    gateway: str | None
    observations: tuple[Observation, ...]

    @property
    def healthy(self) -> bool:
        """Whether everything works."""
        return self.ready and all(observation.healthy for observation in self.observations)


async def observe(layout: Layout) -> StackStatus:
    """Ask everything at once. Raises NotRunning."""
    state = running_state(layout)
    observations = await asyncio.gather(*(_observe(layout, member) for member in state.members))
    return StackStatus(ready=state.ready, gateway=state.gateway, observations=tuple(observations))


async def _observe(layout: Layout, member: Member) -> Observation:
    if member.identity is not None and not is_alive(member.identity):
        return Observation(member=member, healthy=False, reason="it ended")
    check = _check(layout, member)
    if check is None:
        return Observation(member=member, healthy=False, reason="it is being started")
    try:
        await run_check(check)
    except NotReady as error:
        return Observation(member=member, healthy=False, reason=str(error))
    return Observation(member=member, healthy=True)


def _check(layout: Layout, member: Member) -> Check | None:
    """How to ask; None if it does not run at the moment."""
    if member.kind == "process":
        running = member.identity is not None and member.port is not None
        return process_check(layout, member.name, member.port or 0) if running else None
    url = member.url or ""
    return lambda: _SERVER_CHECKS[member.name](url)
