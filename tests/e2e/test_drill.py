"""`qrpay drill zone-loss`: a cluster loses a zone while people pay, and every payment is accounted
for. The cluster is the outside world: a stand-in for kubectl that remembers what it was told, and
ends a real process where pods are deleted."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.stack import QRPAY, Stack, User

KUBECTL = """#!{python}
import json, os, signal, sys
from pathlib import Path

folder = Path({folder!r})
words = [word for word in sys.argv[1:] if not word.startswith("--request-timeout")]
with (folder / "told").open("a") as told:
    told.write(json.dumps(words) + "\\n")
if words[:2] == ["get", "nodes"]:
    print((folder / "nodes.json").read_text())
elif words[:2] == ["get", "pods"]:
    print((folder / "pods.json").read_text())
elif words[0] == "delete":
    os.kill(int((folder / "pid").read_text()), signal.SIGKILL)
elif words[0] not in ("cordon", "uncordon"):
    sys.exit("error: unknown command")
"""


def node(name: str, zone: str, *, cordoned: bool = False) -> dict[str, Any]:
    """A node as kubectl tells it."""
    labels = {"topology.kubernetes.io/zone": zone}
    return {"metadata": {"name": name, "labels": labels}, "spec": {"unschedulable": cordoned}}


def pod(name: str, on: str, *, ready: bool = True, phase: str = "Running") -> dict[str, Any]:
    """A pod as kubectl tells it."""
    conditions = [{"type": "Ready", "status": str(ready)}]
    return {
        "metadata": {"name": name},
        "spec": {"nodeName": on},
        "status": {"phase": phase, "conditions": conditions},
    }


class FakeCluster:
    """The stand-in, and what it was told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        program = folder / "kubectl"
        program.write_text(KUBECTL.format(python=sys.executable, folder=str(folder)))
        program.chmod(0o755)
        (folder / "told").touch()
        self.nodes(node("n1", "a"), node("n2", "b"), node("n3", "b", cordoned=True))
        self.pods(pod("wallet-1", "n1"), pod("wallet-2", "n2"), pod("ledger-1", "n3"))

    def nodes(self, *items: dict[str, Any]) -> None:
        """Have these."""
        (self.folder / "nodes.json").write_text(json.dumps({"items": items}))

    def pods(self, *items: dict[str, Any]) -> None:
        """Have these."""
        (self.folder / "pods.json").write_text(json.dumps({"items": items}))

    def changes(self) -> list[list[str]]:
        """What it was told to do."""
        told = (self.folder / "told").read_text().splitlines()
        return [words for words in map(json.loads, told) if words[0] != "get"]


@pytest.fixture
def cluster(tmp_path: Path) -> FakeCluster:
    """Two zones, three nodes, one of them cordoned by somebody else."""
    return FakeCluster(tmp_path)


@pytest.fixture(scope="module")
async def breakable(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A system of which a process may be killed."""
    stack = Stack(tmp_path_factory.mktemp("drill") / "data")
    await stack.up()
    yield stack
    await stack.down()


async def start(
    cluster: FakeCluster, *arguments: str, gateway: str, tokens: dict[str, str]
) -> asyncio.subprocess.Process:
    """Start the drill on that cluster."""
    options = ["--gateway", gateway, "--yes"]
    for name, token in tokens.items():
        (cluster.folder / name).write_text(token + "\n")
        options += ["--token-file", str(cluster.folder / name)]
    return await asyncio.create_subprocess_exec(
        *(str(QRPAY), "drill", "zone-loss", "b", *options, *arguments),
        env={**os.environ, "PATH": f"{cluster.folder}:{os.environ['PATH']}", "NO_COLOR": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def output_of(process: asyncio.subprocess.Process) -> tuple[str, str]:
    """What it printed until it ended."""
    async with asyncio.timeout(120):
        output, errors = await process.communicate()
    return output.decode(), errors.decode()


async def tokens_of(stack: Stack) -> dict[str, str]:
    """Two who pay each other."""
    return {name: await stack.token(name) for name in ("alice", "bob")}


QUICK = ("--seconds", "5", "--around", "5", "--rate", "20", "--json")


async def test_a_zone_is_lost_and_no_payment(breakable: Stack, cluster: FakeCluster) -> None:
    """Wallet is killed while people pay: every payment that was acknowledged is there, once."""
    (cluster.folder / "pid").write_text(str(await breakable.pid("wallet")))
    process = await start(
        cluster, *QUICK, gateway=breakable.gateway, tokens=await tokens_of(breakable)
    )
    output, errors = await output_of(process)
    assert process.returncode == 0, (output, errors)
    found = json.loads(output)
    assert found["passed"]
    assert found["wrong"] == []
    assert found["acknowledged"] > 100
    assert found["pods_deleted"] == 2
    assert cluster.changes() == [
        ["cordon", "n2"],
        [
            *("delete", "pods", "--namespace", "qrpay", "--wait=false", "--grace-period=1"),
            *("wallet-2", "ledger-1"),
        ],
        ["uncordon", "n2"],
    ], "what somebody else had cordoned stays so"


async def test_money_that_it_cannot_explain_is_told(breakable: Stack, cluster: FakeCluster) -> None:
    """Bob spends something meanwhile: one cent that no payment of the drill moved is found."""
    (cluster.folder / "pid").write_text(str(await breakable.pid("ledger")))
    tokens = await tokens_of(breakable)
    process = await start(cluster, *QUICK, gateway=breakable.gateway, tokens=tokens)
    await asyncio.sleep(4)
    bob = User(gateway=breakable.gateway, token=tokens["bob"])
    body = {"to": "cafe", "amount": 1, "currency": "USD"}
    paid = await bob.post("/payments/send", body, key="one-cent", wait=5)
    assert paid.status_code == 200
    await bob.http.aclose()
    output, errors = await output_of(process)
    assert process.returncode == 1, (output, errors)
    found = json.loads(output)
    assert not found["passed"]
    assert len(found["wrong"]) == 1
    assert "money moved twice, or somebody else used the account" in found["wrong"][0]


async def test_ctrl_c_gives_the_zone_back(breakable: Stack, cluster: FakeCluster) -> None:
    """Whoever has seen enough leaves no node behind on which nothing may start."""
    (cluster.folder / "pid").write_text(str(await breakable.pid("ledger")))
    process = await start(
        cluster,
        *("--seconds", "600", "--around", "5", "--rate", "1"),
        gateway=breakable.gateway,
        tokens=await tokens_of(breakable),
    )
    async with asyncio.timeout(60):
        while not any(words[0] == "delete" for words in cluster.changes()):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = await output_of(process)
    assert process.returncode == 1, errors
    assert "Aborted" in errors
    assert cluster.changes()[-1] == ["uncordon", "n2"]


@pytest.mark.parametrize(
    ("zones", "sentence"),
    [
        (("a", "c"), "no node is in zone b; there are a, c"),
        (("b", "b"), "b is the only zone: losing it loses everything"),
    ],
)
async def test_what_is_no_loss_of_one_zone_is_refused(
    cluster: FakeCluster, zones: tuple[str, ...], sentence: str
) -> None:
    """A zone that is not there, or is all there is."""
    cluster.nodes(*(node(f"n{number}", zone) for number, zone in enumerate(zones)))
    process = await start(cluster, gateway="https://example.invalid", tokens={"one": "a"})
    _, errors = await output_of(process)
    assert process.returncode == 2, "two tokens are needed first"
    process = await start(
        cluster, gateway="https://example.invalid", tokens={"one": "a", "two": "b"}
    )
    _, errors = await output_of(process)
    assert process.returncode == 1
    assert sentence in errors
    assert cluster.changes() == []


async def test_a_zone_without_our_pods_is_refused(cluster: FakeCluster) -> None:
    """Pods that have ended do not count."""
    cluster.pods(pod("wallet-1", "n1"), pod("migrate-1", "n2", phase="Succeeded"))
    process = await start(
        cluster, gateway="https://example.invalid", tokens={"one": "a", "two": "b"}
    )
    _, errors = await output_of(process)
    assert process.returncode == 1
    assert "no pod of qrpay runs in zone b" in errors


@pytest.mark.parametrize(
    ("gateway", "sentence"),
    [
        ("http://example.invalid", "tokens are only sent over https"),
        ("https://example.invalid", "a token must be a JWT with a subject"),
    ],
)
async def test_tokens_are_looked_after(cluster: FakeCluster, gateway: str, sentence: str) -> None:
    """No token goes over an open network, and what is none is said before anything is lost."""
    process = await start(cluster, gateway=gateway, tokens={"one": "a", "two": "b"})
    _, errors = await output_of(process)
    assert process.returncode == 1
    assert sentence in errors
    assert cluster.changes() == []
