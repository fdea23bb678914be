"""``python -m gateway`` as the stack runs it: on uvloop, with its environment and its log."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

import gateway
from embedded.ports import find_free_port
from embedded.tokens import AUDIENCE, ISSUER, jwks_file
from tests.integration.gateway.conftest import Mesh, Publish
from tests.integration.gateway.fakes import IDS
from tests.integration.gateway.test_waiting import SEND

REPOSITORY = Path(gateway.__file__).parents[1]


@dataclass
class Process:
    """A gateway process."""

    running: asyncio.subprocess.Process
    url: str
    log_file: Path

    def log(self) -> list[dict[str, object]]:
        """Its log, line by line; every line is JSON."""
        return [json.loads(line) for line in self.log_file.read_text().splitlines()]


@asynccontextmanager
async def gateway_process(
    mesh: Mesh, directory: Path, **changed: str | None
) -> AsyncIterator[Process]:
    """Start a process, secrets in files; kill it at the end if it still runs."""
    port = find_free_port()
    (directory / "nats-url").write_text(mesh.nats.url_for("gateway"))
    tls = mesh.tls("gateway")
    environment: dict[str, str | None] = {
        **os.environ,
        "HTTP_LISTEN": f"127.0.0.1:{port}",
        "TLS_CERT_FILE": str(tls.cert_file),
        "TLS_KEY_FILE": str(tls.key_file),
        "TLS_CA_FILE": str(tls.ca_file),
        **{f"{name.upper()}_TARGET": f"127.0.0.1:{it}" for name, it in mesh.ports.items()},
        "NATS_URL_FILE": str(directory / "nats-url"),
        "JWKS_FILE": str(jwks_file(mesh.directory)),
        "TOKEN_ISSUER": ISSUER,
        "TOKEN_AUDIENCE": AUDIENCE,
        "DRAIN_SECONDS": "5",
        **changed,
    }
    log_file = directory / "log"
    with log_file.open("wb") as log:
        running = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway"),
            cwd=REPOSITORY,
            env={name: value for name, value in environment.items() if value is not None},
            stdout=log,
            stderr=log,
        )
    try:
        yield Process(running, f"http://127.0.0.1:{port}", log_file)
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()


async def ready(client: httpx.AsyncClient) -> None:
    """Return when the process says that it can serve."""
    async with asyncio.timeout(30):
        while True:
            try:
                if (await client.get("/readyz")).status_code == 200:
                    return
            except httpx.ConnectError:
                pass
            await asyncio.sleep(0.05)


async def test_a_life(mesh: Mesh, tmp_path: Path, publish: Publish) -> None:
    """It starts, serves money moves and reads, wakes who waits, is told to stop while somebody
    waits, answers that one, and exits 0. Tokens, codes and IBANs are not in its log."""
    alice = IDS.make("usr")
    token = mesh.token(alice, "customer")
    async with (
        gateway_process(mesh, tmp_path) as process,
        httpx.AsyncClient(
            base_url=process.url, trust_env=False, headers={"authorization": f"Bearer {token}"}
        ) as client,
    ):
        await ready(client)

        def post(key: str, **headers: str) -> asyncio.Task[httpx.Response]:
            named = {"idempotency-key": key, **headers}
            return asyncio.create_task(client.post("/payments/send", json=SEND, headers=named))

        assert (await post("one")).status_code == 202
        waiting = post("two", prefer="wait=30")
        await publish([mesh.payments.complete(await _payment(mesh, alice, "two"))])
        assert (await waiting).json()["status"] == "COMPLETED"
        for path, body in (
            ("/barcodes", None),
            ("/bank-accounts", {"holder": "Alice", "iban": "DE89370400440532013000"}),
            ("/payments/281004327719356024", None),
        ):
            await client.request("GET" if "281" in path else "POST", path, json=body)
        head = await client.head("/openapi.json")
        assert (head.status_code, head.content) == (200, b"")
        waiting = post("three", prefer="wait=30")
        await _payment(mesh, alice, "three")
        process.running.send_signal(signal.SIGTERM)
        answer = await waiting
        assert (answer.status_code, answer.json()["status"]) == (202, "PENDING")
        async with asyncio.timeout(15):
            assert await process.running.wait() == 0
    log = json.dumps(process.log())
    assert "stopped" in log
    for secret in (token, token.split(".")[2], "281004327719356024", "DE8937", "nats://gateway:"):
        assert secret not in log


async def _payment(mesh: Mesh, caller_id: str, key: str) -> str:
    async with asyncio.timeout(10):
        while (caller_id, key) not in mesh.payments.keys:  # noqa: ASYNC110 - over the wire
            await asyncio.sleep(0.01)
    return mesh.payments.keys[caller_id, key][1]


async def test_requests_are_logged_if_wanted(mesh: Mesh, tmp_path: Path) -> None:
    """A good money move makes no line, unless one asks for it; failures and everything else do:
    route, status, problem and request id, not the path."""
    for wanted, statuses in (("false", [400]), ("true", [202, 400])):
        directory = tmp_path / wanted
        directory.mkdir()
        token = mesh.token(IDS.make("usr"), "customer")
        async with (
            gateway_process(mesh, directory, LOG_REQUESTS=wanted) as process,
            httpx.AsyncClient(base_url=process.url, trust_env=False) as client,
        ):
            await ready(client)
            headers = {"authorization": f"Bearer {token}", "idempotency-key": "k"}
            await client.post("/payments/send", json=SEND, headers=headers)
            headers["x-request-id"] = "mine"
            await client.get("/payments?limit=0", headers=headers)
            process.running.send_signal(signal.SIGTERM)
            await process.running.wait()
        lines = [line for line in process.log() if line.get("event") == "request"]
        lines = [line for line in lines if line["route"] != "/readyz"]
        assert [line["status"] for line in lines] == statuses
        assert lines[-1]["request_id"] == "mine"
        assert lines[-1]["problem"] == "invalid-request"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"PAYMENT_TARGET": None, "TOKEN_ISSUER": None}, ["PAYMENT_TARGET", "TOKEN_ISSUER"]),
        ({"JWKS_FILE": None}, ["JWKS_FILE"]),
        ({"WAIT_SECONDS_MAX": "31"}, ["WAIT_SECONDS_MAX"]),
        ({"UPSTREAM_SECONDS": "5"}, ["UPSTREAM_SECONDS"]),
    ],
)
async def test_settings_faults(
    mesh: Mesh, tmp_path: Path, changed: dict[str, str | None], told: list[str]
) -> None:
    """A process whose settings do not add up says what is wrong with them and exits 2."""
    async with gateway_process(mesh, tmp_path, **changed) as process:
        async with asyncio.timeout(30):
            assert await process.running.wait() == 2
    output = process.log_file.read_text()
    for variable in told:
        assert variable in output
