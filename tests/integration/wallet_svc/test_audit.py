"""What WalletService leaves in its audit trail: real calls, real certificates, a real database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest

from chassis.channel import ACTOR_METADATA, call
from chassis.errors import ServiceError, Unavailable
from qrpay.wallet.v1 import wallet_pb2 as pb
from tests.integration.wallet_svc.test_service import owner_request

StubFor = Callable[[str], Any]
Rows = Callable[[int], Awaitable[list[Any]]]


async def ask(method: Any, request: Any) -> Any:
    """Call as somebody would."""
    return await call(method, request, timeout_seconds=5)


@pytest.fixture
def records(auditor: Any, eventually: Any) -> Rows:
    """What is recorded, oldest first, once there are so many."""

    async def records(count: int) -> list[Any]:
        async def are_there() -> bool:
            return len(await auditor.rows("SELECT FROM audit_records")) >= count

        await eventually(are_there)
        rows: list[Any] = await auditor.rows("""
            SELECT caller, actor, peer, split_part(method, '/', 2), thing_kinds, thing_ids, result,
                reason, begun_id IS NOT NULL
            FROM audit_records ORDER BY id
        """)
        assert len(rows) == count
        return rows

    return records


async def test_an_operators_act(stub_for: StubFor, records: Rows) -> None:
    """Goal: two rows, the first without the ids that are only known afterwards; the person as the
    metadata tells it; no handle and no name."""
    method = stub_for("operator").CreateOwner
    made = await method(owner_request("alice"), timeout=5, metadata=((ACTOR_METADATA, "ann"),))
    begun, ended = await records(2)
    head = ("operator", "ann", "127.0.0.1", "CreateOwner")
    assert begun == (*head, [], [], "BEGUN", "", False)
    things = [made.owner.id, made.wallets[0].id]
    assert ended == (*head, ["owner", "wallet"], things, "OK", "", True)


async def test_what_is_refused(stub_for: StubFor, records: Rows) -> None:
    """Goal: bad arguments and broken rules of an operator, and whoever may not call at all: a
    partner, and a service of the mesh."""
    operator = stub_for("operator")
    with pytest.raises(ServiceError):
        await ask(operator.OpenWallet, pb.OpenWalletRequest(owner_id="usr_1", currency_code="x"))
    with pytest.raises(ServiceError):
        await ask(operator.FreezeWallet, pb.FreezeWalletRequest(wallet_id="wal_1"))
    for identity in ("acme", "gateway"):
        with pytest.raises(ServiceError):
            await ask(stub_for(identity).FreezeWallet, pb.FreezeWalletRequest(wallet_id="wal_1"))
    rows = await records(6)
    assert sorted((row[0], row[3], row[5], row[6], row[7]) for row in rows) == [
        ("acme", "FreezeWallet", ["wal_1"], "PERMISSION_DENIED", "PERMISSION_DENIED"),
        ("gateway", "FreezeWallet", ["wal_1"], "PERMISSION_DENIED", "PERMISSION_DENIED"),
        ("operator", "FreezeWallet", ["wal_1"], "BEGUN", ""),
        ("operator", "FreezeWallet", ["wal_1"], "NOT_FOUND", "WALLET_NOT_FOUND"),
        ("operator", "OpenWallet", ["usr_1"], "BEGUN", ""),
        ("operator", "OpenWallet", ["usr_1"], "INVALID_ARGUMENT", "INVALID_ARGUMENT"),
    ]


async def test_what_services_do_for_each_other_is_not_recorded(
    stub_for: StubFor, records: Rows, people: Any
) -> None:
    """Goal: the gateway reads and the ledger freezes without a record; an operator's reading has
    one."""
    _, (wallet,) = await people.owner("alice")
    await ask(
        stub_for("gateway").BatchGetWallets, pb.BatchGetWalletsRequest(wallet_ids=[wallet.id])
    )
    await ask(stub_for("ledger").FreezeWallet, pb.FreezeWalletRequest(wallet_id=wallet.id))
    await ask(stub_for("operator").GetOwner, pb.GetOwnerRequest(handle="alice"))
    ((caller, _, _, method, _, things, result, _, _),) = await records(1)
    assert (caller, method, things, result) == ("operator", "GetOwner", [], "OK")


async def test_without_a_record_there_is_no_act(
    stub_for: StubFor, auditor: Any, records: Rows, people: Any
) -> None:
    """Goal: while nothing can be recorded, an operator freezes nothing and is told to come again;
    services work on, and so do operators afterwards."""
    _, (wallet,) = await people.owner("alice")
    request = pb.FreezeWalletRequest(wallet_id=wallet.id)
    await auditor.execute("REVOKE INSERT ON audit_records FROM wallet_svc")
    with pytest.raises(Unavailable) as caught:
        await ask(stub_for("operator").FreezeWallet, request)
    assert caught.value.retryable
    status = "SELECT status FROM wallets WHERE id = %s"
    assert await auditor.rows(status, wallet.id) == [(1,)]
    await ask(stub_for("ledger").UnfreezeWallet, pb.UnfreezeWalletRequest(wallet_id=wallet.id))
    # A reading is answered, too: only its record is lost, and counted.
    await ask(stub_for("operator").GetOwner, pb.GetOwnerRequest(handle="alice"))
    await auditor.execute("GRANT INSERT ON audit_records TO wallet_svc")
    await ask(stub_for("operator").FreezeWallet, request)
    assert await auditor.rows(status, wallet.id) == [(2,)]
    assert [row[6] for row in await records(2)] == ["BEGUN", "OK"]


async def test_an_act_whose_caller_leaves(
    stub_for: StubFor, auditor: Any, records: Rows, people: Any, waiting_for_lock: Any
) -> None:
    """Goal: the end of an act is recorded also when nobody waits for its answer any more."""
    _, (wallet,) = await people.owner("alice")
    async with await psycopg.AsyncConnection.connect(auditor.url) as blocking:
        await blocking.execute("SELECT 1 FROM wallets WHERE id = %s FOR UPDATE", [wallet.id])
        request = pb.FreezeWalletRequest(wallet_id=wallet.id)
        leaving = asyncio.ensure_future(ask(stub_for("operator").FreezeWallet, request))
        await waiting_for_lock()
        leaving.cancel()
        rows = await records(2)
    assert [row[6] for row in rows] == ["BEGUN", "CANCELLED"]
