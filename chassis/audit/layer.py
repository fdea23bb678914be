"""The layer around an RPC that records its calls."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from chassis.audit.acts import Act, Outcome, call_of, outcome_of, outcome_of_error, told_actor
from chassis.audit.trail import AuditTrail
from chassis.tls import peer_identity

Handler = Callable[[Any, Any], Awaitable[Any]]


def record_calls(
    handler: Handler, *, method: str, act: Act, allowed: Collection[str], trail: AuditTrail
) -> Handler:
    """``handler`` checks the caller, for whom ``allowed`` is known here too: an act is recorded
    before it begins, and what is refused to its caller never begins."""
    name = method.removeprefix("/")

    async def recorded(request: Any, context: Any) -> Any:
        caller = peer_identity(context.auth_context()) or ""
        is_allowed = caller in allowed
        for_person = bool(told_actor(context.invocation_metadata()))
        if not act.is_recorded(caller, allowed=is_allowed, for_person=for_person):
            return await handler(request, context)
        call = call_of(request, context, method=name, act=act)
        before = act.is_recorded_before(caller, allowed=is_allowed, for_person=for_person)
        begun_id, has_begun = trail.new_id() if before else "", False
        began, outcome = time.monotonic(), Outcome("UNKNOWN")
        try:
            if before:
                remaining = context.time_remaining()
                seconds_max = math.inf if remaining is None else remaining
                await trail.begin(call, begun_id, seconds_max=seconds_max)
                has_begun = True
            response = await handler(request, context)
            outcome = outcome_of(response, act)
        except BaseException as error:
            outcome = outcome_of_error(error, context)
            raise
        else:
            return response
        finally:
            duration_ms = round((time.monotonic() - began) * 1000)
            if has_begun:
                await trail.end(call, outcome, duration_ms, begun_id=begun_id)
            else:
                trail.note(call, outcome, duration_ms, begun_id=begun_id)

    return recorded
