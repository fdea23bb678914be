"""Processes beside those of a running stack, told the same, and something else on top."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import psutil

from embedded.layout import certificate_files
from embedded.processes import MODULES
from tests.e2e.stack import Stack, free_port

_START_SECONDS_MAX = 60.0


class Beside:
    """A process that runs beside the stack's."""

    def __init__(self, process: asyncio.subprocess.Process, *, port: int, admin: int) -> None:
        self._process = process
        self.port = port
        self.address = f"127.0.0.1:{port}"
        self.admin = f"http://127.0.0.1:{admin}"

    @property
    def url(self) -> str:
        """Of a gateway."""
        return f"http://{self.address}"

    async def kill(self) -> None:
        """As the kernel does it."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def metric(self, start: str) -> float:
        """The sum of the series that begin so."""
        async with httpx.AsyncClient() as client:
            text = (await client.get(f"{self.admin}/metrics")).text
        return sum(
            float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(start)
        )


@asynccontextmanager
async def beside(
    stack: Stack, name: str, log_file: Path, *, identity: str = "", **changed: str
) -> AsyncIterator[Beside]:
    """Start ``name`` once more; it listens when the block begins, and is killed at its end."""
    known = psutil.Process(await stack.pid(name)).environ()
    port, admin = free_port(), free_port()
    listen = "HTTP_LISTEN" if name == "gateway" else "GRPC_LISTEN"
    certificate, key, _ = certificate_files(stack.data / "certificates", identity or name)
    environment = {
        **known,
        listen: f"127.0.0.1:{port}",
        "ADMIN_LISTEN": f"127.0.0.1:{admin}",
        "TLS_CERT_FILE": str(certificate),
        "TLS_KEY_FILE": str(key),
        **changed,
    }
    with log_file.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", MODULES[name]),
            cwd=stack.data,
            env=environment,
            stdout=log,
            stderr=log,
        )
    running = Beside(process, port=port, admin=admin)
    try:
        async with asyncio.timeout(_START_SECONDS_MAX):
            while not await _listens(port):
                assert process.returncode is None, f"see {log_file}"
                await asyncio.sleep(0.05)
        yield running
    finally:
        await running.kill()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
