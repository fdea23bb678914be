"""Retries, dead letters and their desk, on the whole system, with every rest made short."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import nats
import psycopg
import pytest

from qrpay.payment.v1 import payment_queue_pb2
from tests.e2e.oracle import Books
from tests.e2e.stack import Stack, User

TRIES = 3
POISON_MINOR = 666
"""The amount that the broken database refuses."""
BREAK = f"""
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.amount_minor = {POISON_MINOR} THEN RAISE EXCEPTION 'poisoned'; END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON transfers FOR EACH ROW EXECUTE FUNCTION refuse();
"""
MEND = "DROP FUNCTION IF EXISTS refuse() CASCADE"


@pytest.fixture(scope="module")
async def hasty(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A system that gives a transfer up after three tries within a second."""
    stack = Stack(
        tmp_path_factory.mktemp("hasty") / "data",
        environment={
            "QRPAY_PAYMENT_TRIES_MAX": str(TRIES),
            "QRPAY_PAYMENT_RETRY_FIRST_SECONDS": "0.2",
            "QRPAY_PAYMENT_RETRY_FACTOR": "1.5",
            "QRPAY_PAYMENT_SWEEP_AFTER_SECONDS": "3",
        },
    )
    await stack.up()
    yield stack
    await stack.down()


@pytest.fixture(scope="module")
async def users(hasty: Stack) -> AsyncIterator[Mapping[str, User]]:
    """Its alice, bob and cafe."""
    names = ("alice", "bob", "cafe")
    users = {name: User(gateway=hasty.gateway, token=await hasty.token(name)) for name in names}
    yield users
    for user in users.values():
        await user.http.aclose()


@pytest.fixture
async def books(hasty: Stack) -> Books:
    """Its books."""
    return Books(await hasty.server_url("postgres"))


async def letters(stack: Stack, *arguments: str) -> list[dict[str, Any]]:
    """What the desk lists."""
    found: list[dict[str, Any]] = json.loads(
        await stack.command("dead-letters", "list", "--json", *arguments)
    )
    return found


async def letter_about(stack: Stack, payment_id: str) -> dict[str, Any]:
    """The open letter about a payment; waits for it."""
    (letter,) = await letters_to_come(stack, "--payment", payment_id)
    return letter


async def letters_to_come(stack: Stack, *arguments: str) -> list[dict[str, Any]]:
    """What the desk lists, as soon as there is something."""
    async with asyncio.timeout(30):
        while not (found := await letters(stack, *arguments)):  # noqa: ASYNC110 - the desk is asked
            await asyncio.sleep(0.2)
    return found


async def status(user: User, payment_id: str) -> dict[str, Any]:
    """A payment as its owner sees it, after a few seconds at most."""
    payment: dict[str, Any] = (await user.http.get(f"/payments/{payment_id}?wait=10")).json()
    return payment


async def send(user: User, amount: int, key: str, *, wait: int | None = None) -> dict[str, Any]:
    """Alice sends money to bob."""
    body = {"to": "bob", "amount": amount, "currency": "USD"}
    answer = await user.post("/payments/send", body, key=key, wait=wait)
    assert answer.status_code in (200, 202), answer.text
    payment: dict[str, Any] = answer.json()
    return payment


@asynccontextmanager
async def broken(books: Books) -> AsyncIterator[None]:
    """While it lasts, wallet's database refuses transfers of one amount."""
    await execute(books, "wallet", BREAK)
    try:
        yield
    finally:
        await execute(books, "wallet", MEND)


async def execute(books: Books, database: str, statement: str) -> None:
    """Execute statements as the superuser."""
    async with await psycopg.AsyncConnection.connect(books.url(database)) as connection:
        await connection.execute(statement.encode())


async def test_a_poisoned_payment_dies_alone_and_is_redriven(
    hasty: Stack, users: Mapping[str, User], books: Books
) -> None:
    """Goal: a transfer that fails for its own reason holds up nobody, is tried as often as it may
    be, waits for a person with the truth about its money, and completes once the cause is gone."""
    alice = users["alice"]
    async with broken(books):
        poisoned = await send(alice, POISON_MINOR, "poisoned")
        neighbour = await send(alice, 5, "neighbour", wait=10)
        assert neighbour["status"] == "COMPLETED"
        letter = await letter_about(hasty, poisoned["id"])
        assert (letter["state"], letter["reason"]) == ("open", "exhausted")
        assert letter["attempts"] == TRIES
        assert "TRANSFER_NOT_EXECUTED" in letter["last_error"]
        assert (await alice.http.get(f"/payments/{poisoned['id']}")).json()["status"] == "PENDING"
        assert await retries_of(hasty, poisoned["id"]) == [2, 3]

    shown = json.loads(await hasty.command("dead-letters", "show", letter["id"], "--json"))
    assert shown["money"]["debit"] == "not applied"
    assert shown["money"]["journal"] == "no transaction"
    assert shown["money"]["owner told"] == "no"
    assert shown["money"]["a redrive would"] == "try to move the money"
    planned = await hasty.command("dead-letters", "redrive", "--all", "--dry-run")
    assert letter["id"] in planned
    assert (await letters(hasty))[0]["state"] == "open", "a dry run changes nothing"

    await hasty.command(
        "dead-letters", "redrive", letter["id"], "--actor", "eve", "--why", "mended"
    )

    assert (await status(alice, poisoned["id"]))["status"] == "COMPLETED"
    await hasty.command("dead-letters", "redrive", letter["id"], expect=1)
    assert await dead_subjects(hasty, letter["id"]) == 0
    acts = await books.query(
        "payment",
        "SELECT act, actor, why FROM dead_letter_records WHERE dead_letter_id = %s ORDER BY number",
        letter["id"],
    )
    assert [(row["act"], row["actor"], row["why"]) for row in acts] == [
        ("FILED", "payment_svc", ""),
        ("REDRIVEN", "eve", "mended"),
    ]
    await check_timeline(hasty, users, poisoned["id"])
    await books.check()


async def check_timeline(stack: Stack, users: Mapping[str, User], payment_id: str) -> None:
    """Every step of a payment that died and was redriven; for its payer, three moments."""
    async with asyncio.timeout(30):
        while True:
            shown = json.loads(await stack.command("payment", "show", payment_id, "--json"))
            if shown["steps"][-1]["step"] == "posted":
                break
            await asyncio.sleep(0.2)
    assert shown["silent"] == []
    steps = [(step["step"], step["attempt"]) for step in shown["steps"] if step["step"] != "swept"]
    assert steps == [
        ("accepted", None),
        *[("queued", 1), ("tried", 1), ("rested", 2), ("tried", 2), ("rested", 3), ("tried", 3)],
        *[("dead-lettered", None), ("redriven", None)],
        *[("queued", 1), ("executed", 1), ("reported", None), ("told", None), ("posted", None)],
    ]
    (redriven,) = [step for step in shown["steps"] if step["step"] == "redriven"]
    assert (redriven["by"], redriven["why"]) == ("eve", "mended")
    # A redrive is noted when its copy is in the queue already; the ledger books beside the rest.
    aside = {"redriven", "posted"}
    times = [step["at"] for step in shown["steps"] if step["step"] not in aside]
    assert times == sorted(times), "one machine, one clock"
    drawn = await stack.command("payment", "show", payment_id)
    assert "transfer-not-executed" in drawn
    assert "█" in drawn
    path = f"/payments/{payment_id}/timeline"
    short = (await users["alice"].http.get(path)).json()["steps"]
    assert [step["step"] for step in short] == ["accepted", "executed", "told"]
    assert {*short[1]} == {"step", "at"}, "neither tries nor people"
    assert (await users["cafe"].http.get(path)).status_code == 404


async def test_a_discarded_payment_never_moves_money(
    hasty: Stack, users: Mapping[str, User], books: Books
) -> None:
    """Goal: discarding needs a reason, ends the payment FAILED for its owner, and holds against a
    task that was still under way."""
    alice = users["alice"]
    async with broken(books):
        poisoned = await send(alice, POISON_MINOR, "discarded")
        letter = await letter_about(hasty, poisoned["id"])
    before = await alice.balance()
    await hasty.command("dead-letters", "discard", letter["id"], expect=2)

    await hasty.command("dead-letters", "discard", letter["id"], "--why", "asked by the customer")

    ended = await status(alice, poisoned["id"])
    assert (ended["status"], ended["failure"]["code"]) == ("FAILED", "cancelled")
    await republish_tasks(hasty)
    await books.check()
    assert await alice.balance() == before
    assert (await alice.http.get(f"/payments/{poisoned['id']}")).json() == ended
    await hasty.command("dead-letters", "redrive", letter["id"], expect=1)


async def test_what_cannot_be_read_becomes_a_letter(hasty: Stack, books: Books) -> None:
    """Goal: junk on the queue stops nobody, is kept with its bytes for a person, is not redriven
    into the same wall, and can be discarded."""
    async with queue_of(hasty) as (_, stream):
        await stream.publish("payments.task", b"junk")
    (letter,) = await letters_to_come(hasty, "--reason", "malformed")
    assert letter["subject"] == "payments.task"
    rows = await books.query(
        "payment", "SELECT payload FROM dead_letters WHERE id = %s", letter["id"]
    )
    assert rows[0]["payload"] == b"junk"

    await hasty.command("dead-letters", "redrive", "--reason", "malformed", expect=1)
    await hasty.command("dead-letters", "discard", letter["id"], "--why", "junk")

    assert await letters(hasty) == []


async def test_what_only_the_server_noticed_becomes_a_letter(
    hasty: Stack, users: Mapping[str, User]
) -> None:
    """Goal: a message whose every delivery was lost with its handler is found by the server's
    advisory. Method: a consumer of one delivery that never acknowledges the newest message, and
    asks again, since only then does the server notice."""
    await send(users["alice"], 1, "probe", wait=10)
    async with queue_of(hasty) as (_, stream):
        await stream.add_consumer(
            "PAYMENT_TASKS",
            nats.js.api.ConsumerConfig(
                durable_name="probe",
                deliver_policy=nats.js.api.DeliverPolicy.LAST,
                max_deliver=1,
                ack_wait=0.5,
            ),
        )
        subscription = await stream.pull_subscribe_bind("probe", "PAYMENT_TASKS")
        await subscription.fetch(1, timeout=5)
        async with asyncio.timeout(30):
            while not (found := await letters(hasty, "--consumer", "probe")):
                with suppress(nats.errors.TimeoutError):
                    await subscription.fetch(1, timeout=1)
        await stream.delete_consumer("PAYMENT_TASKS", "probe")
    (letter,) = found
    assert letter["reason"] == "exhausted"
    await hasty.command("dead-letters", "discard", letter["id"], "--why", "only a probe")


async def test_a_locked_wallet_costs_only_its_own_time(
    hasty: Stack, users: Mapping[str, User], books: Books
) -> None:
    """Goal: somebody who sits on one wallet delays its payments and nobody else's; they complete
    when the lock is gone, without a dead letter."""
    (row,) = await books.query(
        "wallet",
        "SELECT wallets.id FROM wallets JOIN owners ON owners.id = owner_id"
        " WHERE handle = 'alice' AND currency_code = 'USD'",
    )
    async with await psycopg.AsyncConnection.connect(books.url("wallet")) as sitting:
        await sitting.execute("SELECT 1 FROM wallets WHERE id = %s FOR UPDATE", [row["id"]])
        stuck = await send(users["alice"], 7, "stuck")
        body = {"to": "cafe", "amount": 3, "currency": "USD"}
        free = await users["bob"].post("/payments/send", body, key="free", wait=10)
        assert free.json()["status"] == "COMPLETED"
        assert (await users["alice"].http.get(f"/payments/{stuck['id']}")).json()[
            "status"
        ] == "PENDING"
        await sitting.rollback()
    assert (await status(users["alice"], stuck["id"]))["status"] == "COMPLETED"
    assert await letters(hasty) == []
    await books.check()


@pytest.mark.parametrize("victim", ["wallet", "postgres"])
async def test_an_outage_is_waited_for(
    hasty: Stack, users: Mapping[str, User], books: Books, victim: str
) -> None:
    """Goal: ten minutes of outage, shortened: wallet or its database does not answer for many times
    as long as all tries of a transfer take (12 s against 1 s). What was accepted is neither refused
    nor given up, and completes by itself."""
    alice = users["alice"]
    await send(alice, 1, f"warm {victim}", wait=10)  # so that names are remembered
    await hasty.kill(victim, signal.SIGSTOP)
    sent = []
    for number in range(40):
        body = {"to": "bob", "amount": 1, "currency": "USD"}
        answer = await alice.post("/payments/send", body, key=f"outage {victim} {number}")
        assert answer.status_code in (202, 503), answer.text
        if answer.status_code == 202:
            sent.append(answer.json()["id"])
        if victim == "postgres" and answer.status_code == 503:
            break
    await asyncio.sleep(12)
    await hasty.kill(victim, signal.SIGCONT)
    await hasty.healthy()
    for payment_id in sent:
        assert (await status(alice, payment_id))["status"] == "COMPLETED"
    assert victim == "postgres" or sent, "accepting goes on without wallet for a while"
    assert await letters(hasty) == []
    await books.check()


@asynccontextmanager
async def queue_of(stack: Stack) -> AsyncIterator[tuple[Any, Any]]:
    """The stack's queue, as its administrator."""
    client = await nats.connect(await stack.server_url("nats"))
    try:
        yield client, client.jetstream(timeout=5)
    finally:
        await client.close()


async def messages(stack: Stack, stream: str) -> list[tuple[str, bytes]]:
    """What a stream keeps."""
    async with queue_of(stack) as (_, context):
        state = (await context.stream_info(stream)).state
        found = []
        for sequence in range(state.first_seq, state.last_seq + 1):
            try:
                message = await context.get_msg(stream, sequence)
            except nats.js.errors.NotFoundError:
                continue
            found.append((message.subject, message.data or b""))
    return found


async def retries_of(stack: Stack, payment_id: str) -> list[int]:
    """The numbers of the tries that the retry queue was asked for."""
    retries = [
        payment_queue_pb2.RetryTask.FromString(data)
        for _, data in await messages(stack, "PAYMENT_RETRIES")
    ]
    mine = [retry for retry in retries if retry.task.payment_id == payment_id]
    assert all("TRANSFER_NOT_EXECUTED" in retry.last_error for retry in mine)
    assert [retry.delay_milliseconds for retry in mine] == sorted(
        retry.delay_milliseconds for retry in mine
    )
    return [retry.task.attempt for retry in mine]


async def dead_subjects(stack: Stack, letter_id: str) -> int:
    """How many messages the stream of dead letters keeps of one letter."""
    found = await messages(stack, "PAYMENT_DEAD_LETTERS")
    return sum(subject.endswith(letter_id) for subject, _ in found)


async def republish_tasks(stack: Stack) -> None:
    """Put every task that there ever was into the queue again."""
    tasks = await messages(stack, "PAYMENT_TASKS")
    async with queue_of(stack) as (_, context):
        for subject, data in tasks:
            if data != b"junk":
                await context.publish(subject, data)
