"""`qrpay down`: end the stack of a data directory, whatever state it is in."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
from rich.console import Console

from cli.options import data_option
from cli.reports import make_reporter
from embedded.layout import Layout, show_path
from embedded.stack import stop_stack


@click.command()
@data_option
def command(data: Path) -> None:
    """Stop what `qrpay up` started, and wait until every process is gone.

    Also clears up after a supervisor that was killed. The data stays. It is no error if nothing
    runs.
    """
    layout = Layout(data)
    reporter = make_reporter(Console())
    if asyncio.run(stop_stack(layout, announce=reporter.announce)):
        reporter.say("Everything is stopped.")
    else:
        reporter.say(f"Nothing runs on {show_path(layout.root)}.")
