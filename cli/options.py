"""Options that several commands share, so that they mean the same everywhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

DATA_DEFAULT = Path(".qrpay")

data_option = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=DATA_DEFAULT,
    show_default=True,
    envvar="QRPAY_DATA",
    help="The data directory. Each has a stack of its own.",
)

json_option: Callable[[Any], Any] = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON, for programs."
)


def echo_json(content: object) -> None:
    """Print a JSON document to standard output."""
    click.echo(json.dumps(content, indent=2))
