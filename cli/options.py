"""Options that several commands share, so that they mean the same everywhere."""

from __future__ import annotations

import getpass
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

_DURATION = re.compile(r"([0-9]+)([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

DATA_DEFAULT = Path(".qrpay")

data_option = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=DATA_DEFAULT,
    show_default=True,
    envvar="QRPAY_DATA",
    help="The data directory. Each has a stack of its own.",
)

actor_option = click.option(
    "--actor",
    default=getpass.getuser,
    show_default="your user name",
    help="Who does it, for the record.",
)

json_option: Callable[[Any], Any] = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON, for programs."
)


def echo_json(content: object) -> None:
    """Print a JSON document to standard output."""
    click.echo(json.dumps(content, indent=2))


class Moment(click.ParamType[datetime]):
    """A time (ISO 8601), or how long ago it was: 90s, 15m, 1h, 7d. Without a zone it is the user's
    own time."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """The moment that a text means."""
        if isinstance(value, datetime):
            return value
        try:
            if match := _DURATION.fullmatch(value):
                return datetime.now(UTC) - timedelta(**{_UNITS[match[2]]: int(match[1])})
            return datetime.fromisoformat(value).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is neither a time nor like 15m, 1h, 7d", param, ctx)
