"""How a process begins and ends: its event loop, migrations, settings faults told plainly."""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import uvloop

from chassis.migrate import MigrationError, migrate, wait_until_migrated
from chassis.settings import Secret, SettingsError, load_settings
from chassis.tls import TlsFault

_COLLECT_AFTER_CONTAINERS = 50_000


class MigrationSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What ``migrate`` needs."""

    migration_database_url: Secret
    """PostgreSQL URL of the role that owns the tables."""


class WaitingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What ``migrate --wait`` needs."""

    database_url: Secret
    """PostgreSQL URL of the service's own role."""


def run(main: Callable[[], Awaitable[None]], *, migrations: Path | None = None) -> None:
    """Run a process's ``main``; or, with the argument ``migrate``, apply its migrations, and with
    ``migrate --wait`` wait until they are applied.

    Exits 0 when it ended as asked, 2 when the settings or the certificate are wrong (each fault on
    a line), 1 otherwise.
    """
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    if migrations:
        commands = parser.add_subparsers(dest="command")
        migrating = commands.add_parser("migrate", help="bring the database up to date and exit")
        migrating.add_argument(
            "--phase",
            choices=["pre", "post", "all"],
            default="all",
            help="pre: before the new code runs; post: after the old code is gone",
        )
        migrating.add_argument(
            "--wait",
            action="store_true",
            help="change nothing: return once somebody else has applied all of phase pre",
        )
        migrating.add_argument(
            "--wait-seconds", type=float, default=600.0, help="how long to wait for that"
        )
    arguments = parser.parse_args()
    _calm_the_collector()
    try:
        if migrations and arguments.command == "migrate":
            if arguments.wait:
                uvloop.run(_wait(migrations, seconds=arguments.wait_seconds))
            else:
                uvloop.run(_migrate(migrations, phase=arguments.phase))
        else:
            uvloop.run(_as_coroutine(main))
    except SettingsError as error:
        for fault in error.faults:
            print(f"setting: {fault}", file=sys.stderr)  # noqa: T201
        sys.exit(2)
    except TlsFault as fault:
        print(f"certificate: {fault}", file=sys.stderr)  # noqa: T201
        sys.exit(2)
    except MigrationError as error:
        print(f"migration: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(1)
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(130)


def _calm_the_collector() -> None:
    """Make cyclic garbage collection rare: reference counts free nearly everything we make.

    By default every 700 new containers start a collection; a server that handles thousands of
    messages a second spends a tenth of its time on looking at objects that are alive. What was
    imported until now is never looked at again.
    """
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER_CONTAINERS, 20, 20)


async def _as_coroutine(main: Callable[[], Awaitable[None]]) -> None:
    await main()


async def _migrate(directory: Path, *, phase: str) -> None:
    settings = load_settings(MigrationSettings)
    applied = await migrate(settings.migration_database_url, directory, phase=phase)
    for name in applied:
        print(f"applied {name}")  # noqa: T201


async def _wait(directory: Path, *, seconds: float) -> None:
    settings = load_settings(WaitingSettings)
    await wait_until_migrated(settings.database_url, directory, seconds=seconds)
