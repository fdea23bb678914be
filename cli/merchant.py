"""`qrpay merchant`: a merchant's record, and whether it is a pilot."""

from __future__ import annotations

from pathlib import Path

import click

from chassis.channel import call
from cli.mesh import Mesh, run_with_mesh
from cli.options import actor_option, data_option, echo_json, json_option
from qrpay.barcode.v1 import merchant_pb2

_CALL_SECONDS = 5.0


@click.group()
def command() -> None:
    """Show a merchant, and make it a pilot.

    Payments to a pilot go to the next version first, where one runs beside this one.
    """


@command.command("show")
@click.argument("merchant_id")
@data_option
@json_option
def show(merchant_id: str, data: Path, as_json: bool) -> None:
    """Show a merchant."""

    async def work(mesh: Mesh) -> merchant_pb2.Merchant:
        found = await call(
            mesh.merchants.GetMerchant,
            merchant_pb2.GetMerchantRequest(merchant_id=merchant_id),
            timeout_seconds=_CALL_SECONDS,
        )
        return found.merchant

    _tell(run_with_mesh(data, work), as_json=as_json)


@command.command("pilot")
@click.argument("merchant_id")
@click.argument("state", type=click.Choice(["on", "off"]))
@data_option
@actor_option
@json_option
def pilot(merchant_id: str, state: str, data: Path, actor: str, as_json: bool) -> None:
    """Make a merchant a pilot, or end that. Gateways follow within seconds."""

    async def work(mesh: Mesh) -> merchant_pb2.Merchant:
        changed = await call(
            mesh.merchants.SetMerchantPilot,
            merchant_pb2.SetMerchantPilotRequest(
                merchant_id=merchant_id, pilot=state == "on", actor=actor
            ),
            timeout_seconds=_CALL_SECONDS,
        )
        return changed.merchant

    _tell(run_with_mesh(data, work), as_json=as_json)


@command.command("pilots")
@data_option
@json_option
def pilots(data: Path, as_json: bool) -> None:
    """List the merchants that are pilots."""

    async def work(mesh: Mesh) -> list[str]:
        found = await call(
            mesh.merchants.ListPilotMerchants,
            merchant_pb2.ListPilotMerchantsRequest(),
            timeout_seconds=_CALL_SECONDS,
        )
        return list(found.merchant_ids)

    merchant_ids = run_with_mesh(data, work)
    if as_json:
        echo_json({"merchants": merchant_ids})
    else:
        for merchant_id in merchant_ids:
            click.echo(merchant_id)


def _tell(merchant: merchant_pb2.Merchant, *, as_json: bool) -> None:
    status = "closed" if merchant.closed else "open"
    if as_json:
        echo_json(
            {
                "id": merchant.id,
                "name": merchant.name,
                "city": merchant.city,
                "status": status,
                "version": merchant.version,
                "pilot": merchant.pilot,
            }
        )
        return
    click.echo(f"{merchant.id}  {merchant.name}, {merchant.city}  {status}")
    click.echo("pilot: " + ("yes" if merchant.pilot else "no"))
