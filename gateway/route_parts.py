"""Words that the route tables are written in."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from gateway.auth import Role
from gateway.bodies import Body, BodyDecoder
from gateway.operation import Success


def json_answer(
    description: str,
    shape: type[Struct],
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Success:
    """A success with a JSON body."""
    return Success(status=status, description=description, shape=shape, headers=headers or {})


def same_for(roles: tuple[Role, ...], body_type: type[Body]) -> dict[Role, BodyDecoder[Any]]:
    """One body for several roles."""
    decoder = BodyDecoder(body_type)
    return dict.fromkeys(roles, decoder)
