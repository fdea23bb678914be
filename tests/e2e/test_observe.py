"""`qrpay up --observe`: a Prometheus reads every process and answers all dashboards and alerts."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from embedded.processes import MODULES
from tests.e2e.scrapes import scrape_until
from tests.e2e.stack import QRPAY, Stack, User, processes_of
from tests.e2e.test_command import until_gone
from tests.e2e.test_dead_letters import TRIES
from tests.e2e.test_metrics import is_settled, make_history
from tests.e2e.test_payments import pay
from tests.installed import installed
from tests.queries import (
    alerts,
    dashboards,
    expressions,
    labels_of,
    metrics_of,
    panels,
    rules,
    with_values,
)

RISES = "QrpayDeadLettersOpen"
"""What the history below raises: one dead letter waits."""
PROMISES = {"answered", "done"}
ONLY_OF_FAULTS = {"error_type"}
"""Labels that no series has as long as nothing fails."""
NOTHING_WRONG = {
    "overview: Requests that ended with 5xx",
    "overview: Calls that ended with a fault",
    "barcodes: Valkey, under way and failed",
}
"""Panels that show faults, of which there was none."""
_TRAFFIC_ROUNDS = 12
"""A second each: a rate is seen between two scrapes, which are 5 s apart."""


@pytest.fixture(scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A system with a Prometheus, in which something of everything has happened."""
    installed("prometheus")
    stack = Stack(
        tmp_path_factory.mktemp("observed") / "data",
        environment={
            **{f"QRPAY_{name.upper()}_READINGS_EVERY_SECONDS": "0.3" for name in MODULES},
            "QRPAY_LEDGER_RECONCILE_EVERY_SECONDS": "1",
            "QRPAY_PAYMENT_TRIES_MAX": str(TRIES),
            "QRPAY_PAYMENT_RETRY_FIRST_SECONDS": "0.2",
            "QRPAY_PAYMENT_RETRY_FACTOR": "1.5",
        },
    )
    await stack.command("up", "--detach", "--observe", "--http-port", str(stack.http_port))
    async with httpx.AsyncClient(base_url=await stack.server_url("prometheus")) as client:
        await until(client, f"sum(up) == {len(MODULES)}")
    names = ("alice", "bob", "cafe")
    users = {name: User(gateway=stack.gateway, token=await stack.token(name)) for name in names}
    await make_history(stack, users)
    await make_traffic(users)
    await scrape_until(stack, is_settled)
    for user in users.values():
        await user.http.aclose()
    yield stack
    await stack.down()


async def make_traffic(users: Mapping[str, User]) -> None:
    """Payments of each kind for a while."""
    alice, cafe = users["alice"], users["cafe"]
    for _ in range(_TRAFFIC_ROUNDS):
        await pay(alice, "/payments/send", to="bob", amount=1, currency="USD")
        barcode = (await alice.http.post("/barcodes")).json()["code"]
        await pay(cafe, "/payments/pay", barcode=barcode, amount=1, currency="USD")
        await asyncio.sleep(1)


@pytest.fixture(scope="module")
async def prometheus(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    """Its Prometheus, once it has read what the history left and evaluated the rules."""
    async with httpx.AsyncClient(base_url=await stack.server_url("prometheus")) as client:
        await until(client, f'ALERTS{{alertname="{RISES}"}}')
        for slo in PROMISES:
            await until(client, f'qrpay:slo_all:rate5m{{slo="{slo}"}} > 0')
        yield client


async def until(client: httpx.AsyncClient, expr: str) -> None:
    """Wait until an expression has a value. Raises TimeoutError."""
    async with asyncio.timeout(60):
        while not await ask(client, expr):  # noqa: ASYNC110 - it is asked
            await asyncio.sleep(0.5)


async def ask(client: httpx.AsyncClient, expr: str) -> list[dict[str, Any]]:
    """What an expression is now."""
    answer = await client.get("/api/v1/query", params={"query": expr})
    body = answer.json()
    assert body["status"] == "success", (expr, body.get("error"))
    assert not body.get("warnings"), (expr, body["warnings"])
    found: list[dict[str, Any]] = body["data"]["result"]
    return found


async def told(client: httpx.AsyncClient, path: str) -> Any:
    """The data of another question to its API."""
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def test_every_process_is_read(prometheus: httpx.AsyncClient) -> None:
    """Goal: one job for each process, up, and nothing else is read."""
    found = await ask(prometheus, "up")
    assert {item["metric"]["job"]: item["value"][1] for item in found} == {
        f"qrpay-{name}": "1" for name in MODULES
    }
    targets = (await told(prometheus, "/api/v1/targets"))["activeTargets"]
    assert [target["lastError"] for target in targets] == [""] * len(MODULES)


async def test_every_metric_that_is_asked_for_exists(prometheus: httpx.AsyncClient) -> None:
    """Goal: no panel and no alert waits for a name that nobody tells."""
    exist = set(await told(prometheus, "/api/v1/label/__name__/values"))
    wanted = {metric: where for where, expr in expressions() for metric in metrics_of(expr)}
    assert len(wanted) > 50
    assert {name: where for name, where in wanted.items() if name not in exist} == {}


async def test_every_label_that_is_asked_for_exists(prometheus: httpx.AsyncClient) -> None:
    """Goal: nothing is summed up by, or looked for with, a label that no series has."""
    known = {*await told(prometheus, "/api/v1/labels"), *ONLY_OF_FAULTS}
    asked = {label: where for where, expr in expressions() for label in labels_of(expr)}
    assert len(asked) > 15
    assert {label: where for label, where in asked.items() if label not in known} == {}


async def test_every_expression_is_answered(prometheus: httpx.AsyncClient) -> None:
    """Goal: dashboards and rules ask nothing that Prometheus refuses, or joins wrongly."""
    for where, expr in expressions():
        try:
            await ask(prometheus, expr)
        except AssertionError as refused:
            pytest.fail(f"{where}: {refused}")


async def test_panels_have_something_to_show(prometheus: httpx.AsyncClient) -> None:
    """Goal: after something of everything has happened no panel is empty, but for those about
    faults that did not happen; and each series has the labels that its legend names."""
    empty, unnamed = set(), set()
    for name, dashboard in dashboards().items():
        for panel in panels(dashboard):
            for target in panel["targets"]:
                where = f"{name}: {panel['title']}"
                found = await ask(prometheus, with_values(target["expr"]))
                if not found:
                    empty.add(where)
                    continue
                labels = {label for item in found for label in item["metric"]}
                wanted = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
                unnamed |= {f"{where}: {label}" for label in wanted - labels}
    assert empty - NOTHING_WRONG == set()
    assert unnamed == set()


async def test_rules_are_loaded_and_healthy(prometheus: httpx.AsyncClient) -> None:
    """Goal: it evaluates every rule of the manifest; after the history the one alert that should
    rises, and none that would get somebody out of bed."""
    groups = (await told(prometheus, "/api/v1/rules"))["groups"]
    loaded = [rule for group in groups for rule in group["rules"]]
    assert len(loaded) == len(rules())
    assert {rule["name"]: rule.get("lastError", "") for rule in loaded} == {
        rule["name"]: "" for rule in loaded
    }
    assert {rule["health"] for rule in loaded} == {"ok"}
    raised = {rule["name"] for rule in loaded if rule.get("state", "inactive") != "inactive"}
    pages = {alert["alert"] for alert in alerts() if alert["labels"]["severity"] == "page"}
    assert RISES in raised
    assert raised & pages == set()


async def test_the_promises_have_numbers(prometheus: httpx.AsyncClient) -> None:
    """Goal: a bucket ends at the 2 s that are promised, and both promises are told."""
    edge = await ask(prometheus, 'qrpay_payment_done_duration_seconds_bucket{le="2.0"}')
    assert {item["metric"]["qrpay_payment_kind"] for item in edge} >= {"send", "pay", "withdraw"}
    told_of = await ask(prometheus, "qrpay:slo_all:rate5m")
    assert {item["metric"]["slo"] for item in told_of} == PROMISES


async def test_status_shows_it(stack: Stack) -> None:
    """Goal: people find its address, and it is asked for its health like any server."""
    url = await stack.server_url("prometheus")
    assert url.startswith("http://127.0.0.1:")
    assert f"Prometheus {url}" in await stack.command("status")
    servers = {item["name"]: item for item in (await stack.status())["servers"]}
    assert servers["prometheus"]["url"] == url
    assert servers["prometheus"]["healthy"] is True


async def test_it_comes_back(stack: Stack, prometheus: httpx.AsyncClient) -> None:
    """Goal: it is supervised: killed, it is started again, with what it knew."""
    await stack.kill("prometheus")
    await stack.healthy()
    assert await ask(prometheus, "max_over_time(qrpay_dead_letters_open[10m])")


async def test_everything_stops_and_starts_again_with_it(tmp_path: Path) -> None:
    """Goal: Ctrl-C ends it with the rest; the next start has the same address and its history; a
    start without --observe has none."""
    installed("prometheus")
    stack = Stack(tmp_path / "data")
    process = await asyncio.create_subprocess_exec(
        QRPAY,
        *("up", "--observe", "--data", str(stack.data), "--http-port", str(stack.http_port)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    async with asyncio.timeout(90):
        said = b""
        while b"to try" not in said:
            said += await process.stdout.readline()
        url = await stack.server_url("prometheus")
        assert f"Prometheus  {url} ".encode() in said
        process.send_signal(signal.SIGINT)
        rest = await process.stdout.read()
        assert await process.wait() == 0, rest.decode()
    await until_gone(stack.data)
    try:
        await stack.command("up", "--detach", "--observe", "--http-port", str(stack.http_port))
        assert await stack.server_url("prometheus") == url
        await stack.healthy()
        await stack.down()
        assert processes_of(stack.data) == []
        await stack.up()
        assert "prometheus" not in await stack.members()
    finally:
        await stack.down()


async def test_without_prometheus_it_says_how_to_get_one(tmp_path: Path) -> None:
    """Goal: a sentence at once, before anything has started; nothing is left."""
    stack = Stack(tmp_path / "data", environment={"PATH": os.fspath(tmp_path)})
    process = await asyncio.create_subprocess_exec(
        QRPAY,
        *("up", "--detach", "--observe", "--data", str(stack.data)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **stack.environment},
    )
    async with asyncio.timeout(60):
        said, _ = await process.communicate()
    assert process.returncode == 1
    assert b"apt-get install prometheus" in said
    assert not (stack.data / "postgres").exists()
    assert processes_of(stack.data) == []
