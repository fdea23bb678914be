"""`qrpay token`: a token of the stack's own issuer, for one of its users."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime, timedelta
from pathlib import Path

import click
import msgspec

from chassis.channel import call
from chassis.clock import SystemClock
from chassis.errors import ServiceError
from chassis.ids import is_id
from cli.mesh import Mesh
from cli.options import data_option, echo_json, json_option
from embedded.layout import Layout
from embedded.state import running_state
from embedded.tokens import Role, load_issuer
from qrpay.wallet.v1 import wallet_pb2

_ROLES: dict[int, Role] = {
    wallet_pb2.OWNER_KIND_CUSTOMER: "customer",
    wallet_pb2.OWNER_KIND_MERCHANT: "merchant",
    wallet_pb2.OWNER_KIND_OPERATOR: "operator",
}
_UNIT_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_LIFE_MAX = timedelta(days=365)


class Life(click.ParamType[timedelta]):
    """A length of time: `90`, `15m`, `12h`, `7d`; at least a second, at most a year."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """Read it."""
        if isinstance(value, timedelta):
            return value
        match = re.fullmatch(r"([0-9]{1,9})([smhd]?)", str(value))
        if match is None:
            self.fail(f"{value!r} is no length of time like 90, 15m, 12h or 7d", param, ctx)
        life = timedelta(seconds=int(match[1]) * _UNIT_SECONDS[match[2]])
        if not timedelta(0) < life <= _LIFE_MAX:
            self.fail("a token lives for a second at least and for a year at most", param, ctx)
        return life


class IssuedToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token and what it says."""

    token: str
    sub: str
    role: Role
    expires_at: datetime


@click.command()
@click.argument("user")
@data_option
@click.option("--ttl", type=Life(), default="12h", show_default=True, help="How long it is valid.")
@json_option
def command(user: str, data: Path, ttl: timedelta, as_json: bool) -> None:
    """Print a token for USER, a handle (alice) or an id, of the system that runs here.

    Use it as `Authorization: Bearer $(qrpay token alice)`.
    """
    issued = asyncio.run(_issue(Layout(data), user, life=ttl))
    if as_json:
        echo_json(msgspec.to_builtins(issued))
    else:
        click.echo(issued.token)


async def _issue(layout: Layout, user: str, *, life: timedelta) -> IssuedToken:
    state = running_state(layout)
    by_id = is_id(user, user[:3])
    request = wallet_pb2.GetOwnerRequest(
        owner_id=user if by_id else None, handle=None if by_id else user
    )
    async with Mesh(layout, state.ports) as mesh:
        try:
            response = await call(mesh.wallet.GetOwner, request, timeout_seconds=5)
        except ServiceError as error:
            if error.reason == "OWNER_NOT_FOUND":
                raise click.ClickException(f"there is no user {user}") from error
            raise click.ClickException(f"wallet does not tell who {user} is: {error}") from error
    role = _ROLES.get(response.owner.kind)
    if role is None:
        raise click.ClickException(f"{user} is the system itself and signs in nowhere")
    now = SystemClock().now()
    token = load_issuer(layout.tokens).issue(
        subject=response.owner.id, role=role, now=now, life=life
    )
    return IssuedToken(token=token, sub=response.owner.id, role=role, expires_at=now + life)
