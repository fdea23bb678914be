"""ReconciliationService behind mutual TLS: who may call, passes to wait for, cases for people."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from chassis.channel import call, open_channel
from chassis.errors import ServiceError
from chassis.tls import TlsFiles
from embedded.certificates import IDENTITIES
from ledger_svc.reconciliation.rpc import ALLOWED_CALLERS, ReconciliationServicer, rpc_service
from qrpay.ledger.v1 import reconciliation_pb2 as pb
from qrpay.ledger.v1.reconciliation_pb2_grpc import ReconciliationServiceStub
from tests.integration.reconciliation.conftest import CLOCK, World, _serve
from tests.integration.reconciliation.test_differences import PLANTS, busy_world

Ask = Callable[[str, Any], Any]


@pytest.fixture
async def stubs(
    world: World, tls_of: Callable[[str], TlsFiles]
) -> AsyncIterator[dict[str, ReconciliationServiceStub]]:
    """The service, as each identity calls it."""
    async with AsyncExitStack() as stack:
        servicer = ReconciliationServicer(
            database=world.databases["ledger"],
            reconciler=world.reconciler(settle_seconds=0.01),
            wallets=world.wallet_stub,
            clock=CLOCK,
            call_seconds_max=5,
        )
        serving = await _serve(stack, tls_of("ledger"), rpc_service(servicer))
        made = {}
        for identity in IDENTITIES:
            channel = open_channel(
                f"127.0.0.1:{serving.port}", identity="ledger", tls=tls_of(identity)
            )
            made[identity] = ReconciliationServiceStub(await stack.enter_async_context(channel))
        yield made


@pytest.fixture
def ask(stubs: dict[str, ReconciliationServiceStub]) -> Ask:
    """Asks as an operator."""

    async def ask(method: str, request: Any) -> Any:
        return await call(getattr(stubs["operator"], method), request, timeout_seconds=9)

    return ask


async def refusal(ask: Ask, method: str, request: Any) -> ServiceError:
    """Why it is refused."""
    with pytest.raises(ServiceError) as caught:
        await ask(method, request)
    return caught.value


async def finished(ask: Ask, **fields: Any) -> pb.ReconcileResponse:
    """A pass, waited for in turns."""
    request = pb.ReconcileRequest(wait_seconds=0.05, **fields)
    while not (answer := await ask("Reconcile", request)).done:
        request.pass_id = answer.pass_id
    response: pb.ReconcileResponse = answer
    return response


@pytest.mark.parametrize("method", sorted(ALLOWED_CALLERS))
async def test_only_operators_may_call(
    stubs: dict[str, ReconciliationServiceStub], method: str
) -> None:
    """Goal: every other identity is refused."""
    for identity in set(IDENTITIES) - {"operator"}:
        with pytest.raises(ServiceError) as caught:
            await call(
                getattr(stubs[identity], method),
                getattr(pb, f"{method}Request")(),
                timeout_seconds=5,
            )
        assert caught.value.reason == "PERMISSION_DENIED"


async def test_a_pass_is_waited_for(world: World, ask: Ask) -> None:
    """Goal: a pass is begun once, told of while it runs, and its report is whole at the end and
    told again."""
    payment_id, alice, _ = await busy_world(world)
    await PLANTS["amount in ledger"][1](world, payment_id, alice)
    begun = await ask("Reconcile", pb.ReconcileRequest())
    assert not begun.done
    answer = await finished(ask, pass_id=begun.pass_id)
    again = await finished(ask, pass_id=begun.pass_id)

    assert answer == again
    assert answer.pass_id == begun.pass_id
    assert answer.progress == 1
    assert answer.report.checked == pb.Checked(payments=8, transfers=8, transactions=7)
    assert answer.report.buckets.differing >= 1
    assert answer.report.seconds > 0
    assert answer.open_case_count == 0
    assert list(answer.report.differences) == [
        pb.Difference(
            kind="DIFFERENCE_KIND_AMOUNT",
            payment_id=payment_id,
            wallet_id=alice,
            expected="1250",
            found="1251 in ledger",
        )
    ]


async def test_only_what_was_accepted_since(world: World, ask: Ask) -> None:
    """Goal: payments from before are not compared."""
    await busy_world(world)
    request: dict[str, Any] = {"since_time": CLOCK.now()}
    assert (await finished(ask, **request)).report.checked == pb.Checked()


async def test_a_case_and_its_life(world: World, ask: Ask) -> None:
    """Goal: what is healed and filed is listed, shown with what it means, and resolved once, with
    the wallet unfrozen if that is wanted."""
    payment_id, alice, _ = await busy_world(world)
    await PLANTS["amount in ledger"][1](world, payment_id, alice)
    answer = await finished(ask, heal=True)
    assert answer.open_case_count == 1
    (difference,) = answer.report.differences
    assert difference.action == pb.DIFFERENCE_ACTION_FROZEN
    assert await world.frozen() == {alice}

    (listed,) = (await ask("ListCases", pb.ListCasesRequest(state="CASE_STATE_OPEN"))).cases
    assert (listed.id, listed.difference) == (difference.case_id, difference)
    assert listed.explanation
    shown = await ask("GetCase", pb.GetCaseRequest(case_id=listed.id))
    assert shown.case == listed
    assert [record.act for record in shown.records] == [pb.CASE_ACT_FOUND, pb.CASE_ACT_FROZEN]
    assert {record.actor for record in shown.records} == {"ledger_svc"}

    request = pb.ResolveCaseRequest(
        case_id=listed.id, actor="ops", why="booked by hand", unfreeze=True
    )
    resolved = (await ask("ResolveCase", request)).case
    assert (resolved.state, resolved.resolved_by, resolved.reason) == (
        pb.CASE_STATE_RESOLVED,
        "ops",
        "booked by hand",
    )
    assert await world.frozen() == set()
    assert (await refusal(ask, "ResolveCase", request)).reason == "CASE_CLOSED"
    (difference,) = (await finished(ask)).report.differences
    assert difference.action == pb.DIFFERENCE_ACTION_RESOLVED


async def test_cases_by_page_and_subject(world: World, ask: Ask) -> None:
    """Goal: cases are listed newest first, in pages, by state, and by payment or wallet."""
    alice, bob = await world.wallet("alice"), await world.wallet("bob")
    ids = [await world.pay(alice, bob, 1) for _ in range(3)]
    for payment_id in ids:
        await PLANTS["amount in payments"][1](world, payment_id, alice)
    await finished(ask, heal=True)

    pages, token = [], ""
    while True:
        answer = await ask("ListCases", pb.ListCasesRequest(page_size=2, page_token=token))
        pages.append([case.difference.payment_id for case in answer.cases])
        if not (token := answer.next_page_token):
            break
    assert pages == [[ids[2], ids[1]], [ids[0]]]

    async def count(**fields: Any) -> int:
        return len((await ask("ListCases", pb.ListCasesRequest(**fields))).cases)

    assert await count(subject_id=ids[0]) == 1
    assert await count(subject_id=alice) == 3
    assert await count(subject_id=bob) == 0
    assert await count(state="CASE_STATE_RESOLVED") == 0


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"actor": "", "why": "seen"}, ["actor"]),
        ({"actor": "x" * 65, "why": "seen"}, ["actor"]),
        ({"actor": "ops", "why": " "}, ["why"]),
        ({"actor": "o\0ps", "why": "y" * 501}, ["actor", "why"]),
    ],
)
async def test_who_and_why_are_told(ask: Ask, fields: dict[str, Any], named: list[str]) -> None:
    """Goal: nobody closes a case without a name and a reason."""
    refused = await refusal(ask, "ResolveCase", pb.ResolveCaseRequest(case_id="cas_1", **fields))
    assert [item.field for item in refused.violations] == named


async def test_what_is_not_there(ask: Ask) -> None:
    """Goal: unknown passes and cases, and times that are none, are refused by name."""
    wrong = pb.ReconcileRequest()
    wrong.since_time.seconds = 2**60
    for method, request, reason in (
        ("Reconcile", pb.ReconcileRequest(pass_id="rec_unknown"), "PASS_NOT_FOUND"),
        ("Reconcile", wrong, "INVALID_ARGUMENT"),
        ("GetCase", pb.GetCaseRequest(case_id="cas_unknown"), "CASE_NOT_FOUND"),
        (
            "ResolveCase",
            pb.ResolveCaseRequest(case_id="cas_unknown", actor="ops", why="seen"),
            "CASE_NOT_FOUND",
        ),
        ("ListCases", pb.ListCasesRequest(page_token="x"), "INVALID_ARGUMENT"),
        ("ListCases", pb.ListCasesRequest(state=99), "INVALID_ARGUMENT"),  # type: ignore[arg-type]
    ):
        assert (await refusal(ask, method, request)).reason == reason, method
