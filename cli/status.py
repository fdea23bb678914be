"""`qrpay status`: every server and process, and whether it does its work."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from cli.options import data_option, echo_json, json_option
from embedded.errors import NotRunning
from embedded.layout import Layout
from embedded.observation import Observation, StackStatus, observe


@click.command()
@data_option
@json_option
def command(data: Path, as_json: bool) -> None:
    """Show each server and process: number, ports, and whether it answers as it should.

    At the admin port, /metrics is what Prometheus reads. Exit status 0 means that everything works.
    With --json, the servers' URLs carry their administrators' passwords.
    """
    try:
        status = asyncio.run(observe(Layout(data)))
    except NotRunning as error:
        if as_json:
            echo_json({"processes": [], "servers": [], "gateway": None})
        click.echo(str(error), err=True)
        sys.exit(1)
    if as_json:
        echo_json(_as_json(status))
    else:
        _print(status, Console())
    if not status.healthy:
        sys.exit(1)


def _as_json(status: StackStatus) -> dict[str, Any]:
    processes, servers = [], []
    for observation in status.observations:
        member = observation.member
        row: dict[str, Any] = {
            "name": member.name,
            "pid": member.identity.pid if member.identity else None,
            "healthy": observation.healthy,
        }
        if member.kind == "process":
            admin = f"http://{member.admin}" if member.admin else None
            processes.append({**row, "port": member.port, "admin": admin})
        else:
            servers.append({**row, "url": member.url})
    return {"processes": processes, "servers": servers, "gateway": status.gateway}


def _print(status: StackStatus, console: Console) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("NAME", "PID", "PORT", "ADMIN", "HEALTH"):
        table.add_column(heading)
    for observation in status.observations:
        member = observation.member
        table.add_row(
            member.name,
            str(member.identity.pid) if member.identity else "-",
            str(member.port or "outside"),
            member.admin or "-",
            _health(observation),
        )
    console.print(table)
    if status.gateway:
        console.print(f"\nHTTP API   {status.gateway}", highlight=False)
        for observation in status.observations:
            if observation.member.name == "prometheus":
                console.print(f"Prometheus {observation.member.url}", highlight=False)
    elif not status.ready:
        console.print("\nIt is starting or stopping.", highlight=False)


def _health(observation: Observation) -> str:
    if observation.healthy:
        return "[green]healthy[/green]"
    return f"[red]not healthy[/red]: {observation.reason}"
