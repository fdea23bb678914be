"""One run: start a system behind proxies, let people pay, break it, heal it, check everything."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import shutil
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from embedded.layout import Layout
from tests.chaos import planted, reconciling
from tests.chaos.checks import Violation, check_all
from tests.chaos.faults import Faults, port_of
from tests.chaos.funds import give_money
from tests.chaos.history import Outcome
from tests.chaos.load import Load, Person
from tests.chaos.observer import Observer
from tests.chaos.schedule import EDGES, PROCESSES, Fault, kind_of, make_schedule
from tests.chaos.snapshot import execute, is_at_rest, read_snapshot
from tests.e2e.stack import Stack
from tests.proxy import FaultyProxy

SITE = Path(__file__).parent / "site"
REST_SECONDS_MAX = 30.0
"""After the last fault everything must be terminal within this."""
_HEALTHY_SECONDS_MAX = 60.0
_SETTLE_SECONDS = 60.0
_SETTLE_EACH_SECONDS = 0.05
"""How long a busy machine may need to repeat every operation to its end: a minute, and so much for
each of them."""
_CLIENTS = 10
_ASKED_AGAIN_SHARE = 0.2
_SELDOM_USED = {"ledger-wallet"}
"""Asked only for what the queue lost."""

Say = Callable[[str], None]


@dataclass
class Verdict:
    """What a run showed."""

    seed: int
    minutes: float
    bug: str
    schedule: list[Fault]
    operations: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    failed_faults: list[str] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    """By HTTP status and problem; "0" is a connection that failed or a time that was over."""
    unknown_answers: int = 0
    """Those that left it open what had happened; each try was repeated until it was known."""
    looks: int = 0
    """How often the books were read while everything broke."""
    rest_seconds: float = 0.0
    violations: list[Violation] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.violations

    def as_json(self) -> dict[str, Any]:
        """The verdict for programs."""
        return {
            "seed": self.seed,
            "minutes": self.minutes,
            "bug": self.bug,
            "schedule": [str(fault).strip() for fault in self.schedule],
            "passed": self.passed,
            "operations": dict(self.operations),
            "faults": dict(self.faults),
            "failed_faults": self.failed_faults,
            "answers": dict(self.answers),
            "unknown_answers": self.unknown_answers,
            "looks": self.looks,
            "rest_seconds": round(self.rest_seconds, 1),
            "violations": [str(item) for item in self.violations],
        }


async def run_yard(
    seed: int,
    minutes: float,
    directory: Path,
    *,
    bug: str = "",
    say: Say = lambda _text: None,
    logs: Path | None = None,
) -> Verdict:
    """Run once in an empty directory. Answers the verdict; raises only if the yard itself fails.

    ``logs``: where the logs of the broken system are kept if something was wrong.
    """
    chosen = planted.BUGS[bug] if bug else planted.Bug("")
    extra = planted.faults_that_show(chosen, minutes)
    schedule = sorted(make_schedule(seed, minutes) if not bug else extra)
    verdict = Verdict(seed, minutes, bug, schedule)
    async with _system(directory, bug=bug) as (stack, proxies, clocks):
        admin_url = await stack.server_url("postgres")
        await give_money(Layout(stack.data), ("alice", "bob"))
        for database, statement in chosen.statements:
            await execute(admin_url, database, statement)
        load = await _make_load(stack, seed)
        faults = Faults(stack, proxies=proxies, clocks=clocks, seed=seed)
        await faults.copy_valkey()
        observer = Observer(admin_url)
        observing = asyncio.create_task(observer.run())
        paying = asyncio.create_task(load.run(_CLIENTS))
        await _break(schedule, faults, verdict, minutes, say, load)
        await faults.heal()
        load.stop()
        await paying
        healed_at = time.monotonic()
        await _come_to_rest(stack, load, admin_url, verdict, healed_at)
        verdict.operations = load.counts()
        answers = [answer for operation in load.history for answer in operation.answers]
        verdict.answers = Counter(f"{item.http_status} {item.failure}".strip() for item in answers)
        verdict.unknown_answers = sum(item.outcome is Outcome.UNKNOWN for item in answers)
        verdict.failed_faults = faults.failures
        verdict.violations += [Violation("no 500", text) for text in load.surprises]
        unused = {edge for edge, proxy in proxies.items() if not proxy.accepted} - _SELDOM_USED
        assert bug or not unused, f"traffic goes past the proxies of {unused}"
        await _stop(observing)
        verdict.violations += await _look_at_everything(admin_url, observer, load)
        await asyncio.sleep(reconciling.SETTLE_SECONDS)
        verdict.violations += await reconciling.reconcile(stack.data)
        verdict.looks = observer.looks
        if logs is not None and not verdict.passed:
            shutil.copytree(Layout(stack.data).logs, logs / f"{bug or 'seed'}-{seed}")
        await load.close()
    return verdict


async def _break(
    schedule: list[Fault],
    faults: Faults,
    verdict: Verdict,
    minutes: float,
    say: Say,
    load: Load,
) -> None:
    """Do what the schedule says, when it says it."""
    began = time.monotonic()
    doing: list[asyncio.Task[None]] = []
    for fault in schedule:
        await asyncio.sleep(max(0.0, began + fault.at_seconds - time.monotonic()))
        say(f"{fault}  ({len(load.history)} operations)")
        verdict.faults[kind_of(fault)] += 1
        doing.append(asyncio.create_task(faults.do(fault)))
    await asyncio.sleep(max(0.0, began + minutes * 60 - time.monotonic()))
    await asyncio.gather(*doing)


async def _look_at_everything(admin_url: str, observer: Observer, load: Load) -> list[Violation]:
    """Read all books and what people are shown of them, and check them."""
    await observer.look()
    snapshot = await read_snapshot(admin_url)
    snapshot.rewritten = observer.memory.changes
    snapshot.statements = await load.statements()
    return check_all(snapshot, load.history)


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _come_to_rest(
    stack: Stack, load: Load, admin_url: str, verdict: Verdict, healed_at: float
) -> None:
    """Wait until everything has ended, ask again, and wait again."""
    doing = "healthy"
    try:
        await stack.healthy(_HEALTHY_SECONDS_MAX)
        doing = "terminal and booked"
        healthy_at = time.monotonic()
        await until_rest(admin_url, REST_SECONDS_MAX)
        verdict.rest_seconds = time.monotonic() - min(healthy_at, healed_at)
        doing = "every operation answered"
        async with asyncio.timeout(_SETTLE_SECONDS + _SETTLE_EACH_SECONDS * len(load.history)):
            await load.settle()
            await load.ask_again(_ASKED_AGAIN_SHARE)
        doing = "at rest again"
        await until_rest(admin_url, REST_SECONDS_MAX)
    except TimeoutError:
        verdict.violations.append(Violation("comes to rest", f"not in time: {doing}"))


async def until_rest(admin_url: str, seconds_max: float) -> None:
    """Wait until nothing is under way and all is booked. Raises ``TimeoutError``."""
    async with asyncio.timeout(seconds_max):
        while not await is_at_rest(admin_url):  # noqa: ASYNC110 - a database cannot call us
            await asyncio.sleep(0.25)


async def _make_load(stack: Stack, seed: int) -> Load:
    people = {
        name: Person(name, gateway=stack.gateway, token=await stack.token(name))
        for name in ("alice", "bob", "cafe")
    }
    wallets = await people["cafe"].ask("GET", "/payments?limit=1")
    assert wallets is not None, "the gateway answers before anything is broken"
    cafe_id = _subject_of(people["cafe"])
    qr = (await people["alice"].http.get(f"/merchants/{cafe_id}/qr?format=text")).text
    load = Load(people, seed=seed, qr=qr)
    await load.prepare()
    return load


def _subject_of(person: Person) -> str:
    payload = person.http.headers["Authorization"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    subject: str = claims["sub"]
    return subject


@asynccontextmanager
async def _system(
    directory: Path, *, bug: str
) -> AsyncIterator[tuple[Stack, dict[str, FaultyProxy], dict[str, Path]]]:
    """A system all of whose edges go through proxies."""
    stack = Stack(directory / "data")
    await stack.up()  # to know its ports and secrets
    await stack.down()
    layout = Layout(stack.data)
    ports = _ports(layout)
    proxies = {
        edge: await FaultyProxy.start("127.0.0.1", ports[edge.partition("-")[2]]) for edge in EDGES
    }
    clocks = {name: directory / f"{name}.clock" for name in PROCESSES}
    for clock in clocks.values():
        clock.write_text("0")
    stack.environment = _environment(directory, layout, proxies, clocks, bug)
    try:
        await stack.up()
        yield stack, proxies, clocks
    finally:
        for proxy in proxies.values():
            proxy.pass_through()
        with contextlib.suppress(AssertionError, TimeoutError):
            await stack.down()
        for proxy in proxies.values():
            await proxy.close()
        shutil.rmtree(stack.data, ignore_errors=True)


def _ports(layout: Layout) -> dict[str, int]:
    return msgspec.json.decode((layout.root / "ports.json").read_bytes(), type=dict[str, int])


_URL_FILES = {
    "payment-postgres": ("PAYMENT_DATABASE_URL", "payment.database-url"),
    "wallet-postgres": ("WALLET_DATABASE_URL", "wallet.database-url"),
    "ledger-postgres": ("LEDGER_DATABASE_URL", "ledger.database-url"),
    "barcode-postgres": ("BARCODE_DATABASE_URL", "barcode.database-url"),
    "payment-nats": ("PAYMENT_NATS_URL", "payment.nats-url"),
    "ledger-nats": ("LEDGER_NATS_URL", "ledger.nats-url"),
    "gateway-nats": ("GATEWAY_NATS_URL", "gateway.nats-url"),
    "barcode-valkey": ("BARCODE_VALKEY_URL", "barcode.valkey-url"),
}
"""The setting of an edge, and the secret that it has without a proxy."""


NO_LIMITS = {
    "QRPAY_GATEWAY_CALLER_REQUESTS_PER_SECOND": "10000",
    "QRPAY_GATEWAY_CALLER_REQUESTS_BURST": "10000",
    "QRPAY_GATEWAY_ADDRESS_REQUESTS_PER_SECOND": "10000",
    "QRPAY_GATEWAY_ADDRESS_REQUESTS_BURST": "10000",
    "QRPAY_BARCODE_MISSES_PER_MINUTE_MAX": "1000000",
}
"""Three people do the work of a crowd: limits on each of them would leave nothing to be broken."""


def _environment(
    directory: Path,
    layout: Layout,
    proxies: dict[str, FaultyProxy],
    clocks: dict[str, Path],
    bug: str,
) -> dict[str, str]:
    """What the processes are told so that they go through the proxies."""
    # A bug that is planted must show in the books: nothing may repair what it does.
    heals = {"QRPAY_LEDGER_RECONCILE_HEALS": "false" if bug else "true"}
    environment = {**NO_LIMITS, **reconciling.SETTINGS, **heals}
    for edge, proxy in proxies.items():
        if edge in _URL_FILES:
            setting, secret = _URL_FILES[edge]
            url = layout.secret_file(secret).read_text().strip()
            file = directory / f"{edge}.url"
            file.write_text(url.replace(f":{port_of(url)}", f":{proxy.port}"))
            environment[f"QRPAY_{setting}_FILE"] = str(file)
        else:
            caller, _, callee = edge.partition("-")
            name = f"QRPAY_{caller.upper()}_{callee.upper()}_TARGET"
            environment[name] = f"127.0.0.1:{proxy.port}"
    for name, clock in clocks.items():
        environment[f"QRPAY_{name.upper()}_PYTHONPATH"] = str(SITE)
        environment[f"QRPAY_{name.upper()}_YARD_CLOCK_FILE"] = str(clock)
    for name in planted.BUGS[bug].processes if bug else ():
        environment[f"QRPAY_{name.upper()}_YARD_BUG"] = bug
    return environment
