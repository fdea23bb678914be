"""The whole system, started as a user starts it, and the people who use it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import psutil

from embedded.layout import Layout
from embedded.observation import Observation, observe

QRPAY = Path(sys.executable).parent / "qrpay"
_COMMAND_SECONDS_MAX = 90


class Stack:
    """A running qrpay in a data directory of its own."""

    def __init__(
        self,
        data: Path,
        *,
        http_port: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.data = data
        self.environment = dict(environment or {})
        """Settings of its processes, as QRPAY_<PROCESS>_<SETTING>."""
        self.http_port = http_port or free_port()
        self.gateway = f"http://127.0.0.1:{self.http_port}"

    async def command(self, *arguments: str, expect: int | None = 0) -> str:
        """Run `qrpay ...` on this data directory; answer its standard output."""
        process = await asyncio.create_subprocess_exec(
            QRPAY,
            *arguments,
            "--data",
            str(self.data),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **self.environment, "NO_COLOR": "1"},
        )
        async with asyncio.timeout(_COMMAND_SECONDS_MAX):
            output, errors = await process.communicate()
        if expect is not None:
            assert process.returncode == expect, (arguments, output.decode(), errors.decode())
        return output.decode()

    async def up(self) -> None:
        """Start it, and wait until it is ready."""
        await self.command("up", "--detach", "--http-port", str(self.http_port))

    async def down(self) -> None:
        """Stop it."""
        await self.command("down")

    async def status(self) -> dict[str, Any]:
        """What runs, as `qrpay status --json` tells it."""
        found: dict[str, Any] = json.loads(await self.command("status", "--json", expect=None))
        return found

    async def members(self) -> dict[str, Observation]:
        """Everything that runs, by name, asked from here: a command each time would be load too."""
        observed = await observe(Layout(self.data))
        return {item.member.name: item for item in observed.observations}

    async def pid(self, name: str) -> int:
        """The process id of a process or server."""
        identity = (await self.members())[name].member.identity
        assert identity is not None, f"{name} does not run"
        return identity.pid

    async def server_url(self, name: str) -> str:
        """The administrator's URL of a server."""
        url = (await self.members())[name].member.url
        assert url is not None
        return url

    async def token(self, user: str) -> str:
        """A token of a demo user."""
        return (await self.command("token", user)).strip()

    async def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to a process or server."""
        os.kill(await self.pid(name), number)

    async def healthy(self, seconds_max: float = 60) -> None:
        """Wait until everything is healthy."""
        async with asyncio.timeout(seconds_max):
            while not all(item.healthy for item in (await self.members()).values()):  # noqa: ASYNC110
                await asyncio.sleep(0.2)


class User:
    """Somebody with a token, at a gateway."""

    def __init__(self, *, gateway: str, token: str) -> None:
        self.http = httpx.AsyncClient(
            base_url=gateway,
            headers={"Authorization": f"Bearer {token}"},
            timeout=10,
            limits=httpx.Limits(max_connections=64),
        )

    async def post(
        self, path: str, body: Any, *, key: str | None = None, wait: int | None = None
    ) -> httpx.Response:
        """POST a JSON body, with an idempotency key and a wish to wait."""
        headers = {}
        if key is not None:
            headers["Idempotency-Key"] = key
        if wait is not None:
            headers["Prefer"] = f"wait={wait}"
        return await self.http.post(path, json=body, headers=headers)

    async def balance(self, currency: str = "USD") -> int:
        """The available balance, minor units."""
        items = (await self.http.get("/wallets/me")).json()["items"]
        amount: int = next(item["available"] for item in items if item["currency"] == currency)
        return amount


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def processes_of(data: Path) -> list[psutil.Process]:
    """The processes that have to do with a data directory."""
    found = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        texts = [*(process.info["cmdline"] or ()), *(process.info["environ"] or {}).values()]
        if any(str(data) in text for text in texts) and process.pid != os.getpid():
            found.append(process)
    return found
