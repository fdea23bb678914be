"""``python -m wallet_svc`` as an operator starts and stops it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from grpc_health.v1 import health_pb2, health_pb2_grpc

from chassis.channel import call, open_channel
from chassis.tls import TlsFiles
from embedded.ports import LOOPBACK, find_free_port
from qrpay.wallet.v1 import wallet_pb2
from qrpay.wallet.v1.wallet_pb2_grpc import WalletServiceStub
from wallet_svc import __file__ as wallet_file

REPOSITORY = Path(wallet_file).parents[1]
SERVICE = "qrpay.wallet.v1.WalletService"


async def start(environment: dict[str, str], *arguments: str) -> asyncio.subprocess.Process:
    """Start the process with these variables and no others but the search path."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "wallet_svc",
        *arguments,
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"], **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def test_without_settings_it_says_what_is_missing() -> None:
    """Goal: every missing variable is named at once, and the exit code says that it is settings."""
    process = await start({})
    output, _ = await process.communicate()

    assert process.returncode == 2
    for variable in (b"DATABASE_URL", b"TLS_CERT_FILE", b"TLS_KEY_FILE", b"TLS_CA_FILE"):
        assert variable in output


async def test_migrate_may_be_repeated(wallet_database: Any, tmp_path: Path) -> None:
    """Goal: ``migrate`` ends well on a database that is up to date."""
    (tmp_path / "url").write_text(wallet_database.owner_url)
    process = await start({"MIGRATION_DATABASE_URL_FILE": str(tmp_path / "url")}, "migrate")
    output, _ = await process.communicate()

    assert (process.returncode, output) == (0, b"")


async def test_it_serves_until_it_is_told_to_stop(
    wallet_database: Any, tls_of: Callable[[str], TlsFiles], tmp_path: Path
) -> None:
    """Goal: it becomes healthy, answers, ends with 0 on SIGTERM, and shows no password."""
    (tmp_path / "url").write_text(wallet_database.url)
    port, files = find_free_port(), tls_of("wallet")
    process = await start(
        {
            "DATABASE_URL_FILE": str(tmp_path / "url"),
            "GRPC_LISTEN": f"{LOOPBACK}:{port}",
            "LOG_LEVEL": "DEBUG",
            "TLS_CERT_FILE": str(files.cert_file),
            "TLS_KEY_FILE": str(files.key_file),
            "TLS_CA_FILE": str(files.ca_file),
        }
    )
    async with open_channel(
        f"{LOOPBACK}:{port}", identity="wallet", tls=tls_of("gateway")
    ) as channel:
        request = health_pb2.HealthCheckRequest(service=SERVICE)
        async with asyncio.timeout(30):
            health: Any = health_pb2_grpc.HealthStub(channel)
            watch = health.Watch(request, wait_for_ready=True)
            async for answer in watch:
                if answer.status == health_pb2.HealthCheckResponse.SERVING:
                    break
            watch.cancel()
        bank = await call(
            WalletServiceStub(channel).GetOwner,
            wallet_pb2.GetOwnerRequest(handle="bank"),
            timeout_seconds=5,
        )
    process.terminate()
    output, _ = await process.communicate()

    assert bank.owner.id == "sys_bank"
    assert process.returncode == 0
    password = wallet_database.url.split(":")[2].partition("@")[0]
    assert password.encode() not in output
