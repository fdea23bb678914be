"""What works and what does not, asked of every member of a running stack at this moment."""

from __future__ import annotations

import asyncio

import msgspec

from embedded.child import Check, run_check
from embedded.errors import NotReady, NotRunning
from embedded.layout import Layout, show_path
from embedded.nats import check_nats
from embedded.postgres import check_postgres
from embedded.processes import make_check
from embedded.state import Member, State, is_alive, read_state
from embedded.valkey import check_valkey

_SERVER_CHECKS = {"postgres": check_postgres, "nats": check_nats, "valkey": check_valkey}


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


def running_state(layout: Layout) -> State:
    """The state of the stack that runs on a data directory. Raises NotRunning."""
    state = read_state(layout)
    if state is None:
        raise NotRunning(f"nothing runs on {show_path(layout.root)}; qrpay up starts it")
    if not is_alive(state.supervisor):
        raise NotRunning(
            f"the supervisor of {show_path(layout.root)} was killed; "
            "qrpay up starts everything anew, qrpay down clears up"
        )
    return state


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
        return make_check(layout, member.name, member.port or 0) if running else None
    url = member.url or ""
    return lambda: _SERVER_CHECKS[member.name](url)
