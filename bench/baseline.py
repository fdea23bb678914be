"""The yardstick: pgbench with one double-entry transfer per transaction, on the same PostgreSQL."""

from __future__ import annotations

import asyncio
import re
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg import sql

_CONNECTIONS = 16
_DATABASE = "bench_baseline"
_TPS = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)


class Baseline(NamedTuple):
    """Transfers per second."""

    uniform_tps: float
    hot_tps: float


class BaselineError(Exception):
    """pgbench did not run; the text is what it said."""


async def measure_baseline(*, admin_url: str, pgbench: Path, seconds: float) -> Baseline:
    """Run both scripts in a database of their own, made for this and dropped after."""
    name = sql.Identifier(_DATABASE)
    async with await psycopg.AsyncConnection.connect(admin_url, autocommit=True) as connection:
        await connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
        await connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
        url = admin_url.rpartition("/")[0] + "/" + _DATABASE
        try:
            async with await psycopg.AsyncConnection.connect(url, autocommit=True) as own:
                await own.execute(_file("baseline.sql").read_bytes())
                await own.execute("VACUUM ANALYZE")
            return Baseline(
                uniform_tps=await _run(pgbench, url, "baseline_uniform.pgbench", seconds),
                hot_tps=await _run(pgbench, url, "baseline_hot.pgbench", seconds),
            )
        finally:
            await connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


async def _run(pgbench: Path, url: str, script: str, seconds: float) -> float:
    process = await asyncio.create_subprocess_exec(
        pgbench,
        "--no-vacuum",
        "--protocol=prepared",
        f"--client={_CONNECTIONS}",
        "--jobs=2",
        f"--time={max(1, round(seconds))}",
        f"--file={_file(script)}",
        # Takes a connection string where it says database name; the password is not in its
        # arguments.
        _DATABASE,
        env=_environment(url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    found = _TPS.search(output.decode())
    if process.returncode or not found:
        raise BaselineError(errors.decode().strip() or "pgbench printed no figure")
    return float(found[1])


def _environment(url: str) -> dict[str, str]:
    parts = psycopg.conninfo.conninfo_to_dict(url)
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD"}
    return {variable: str(parts[key]) for key, variable in names.items() if parts.get(key)}


def _file(name: str) -> Path:
    return Path(str(resources.files("bench") / name))
