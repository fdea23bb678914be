"""What is recorded of a call, and of which: decided without a database."""

from __future__ import annotations

import ast
import asyncio
import importlib
import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import ServiceDescriptor

from chassis import channel
from chassis.audit import acts, rpc
from chassis.audit.acts import Act, Outcome, Thing, Weight, change, read
from chassis.audit.layer import record_calls
from chassis.errors import InvalidArgument, PermissionDenied, Unavailable
from qrpay.audit.v1 import audit_pb2
from qrpay.barcode.v1 import barcode_pb2, device_pb2, merchant_pb2
from qrpay.ledger.v1 import (
    bank_statement_pb2,
    book_pb2,
    correction_pb2,
    ledger_pb2,
    reconciliation_pb2,
)
from qrpay.payment.v1 import dead_letter_pb2, payment_pb2, timeline_pb2
from qrpay.wallet.v1 import wallet_pb2

ROOT = Path(__file__).parents[3]
PAYMENT_ID = "pay_01JD3Q9V7N8R4T2W6X0YZABCDE"
DIGITS_ID = "pay_01234567890123456789012345"
CODE = "987654321098765432"
IBAN = "DE89370400440532013000"
TOKEN = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1c3JfMSJ9.c2lnbmF0dXJl"
TRACE = "0af7651916cd43dd8448eb211c80319c"
SERVICES: dict[str, tuple[Any, str]] = {
    "WalletService": (wallet_pb2, "wallet_svc.audit.WALLET_ACTS"),
    "PaymentService": (payment_pb2, "payment_svc.audit.PAYMENT_ACTS"),
    "DeadLetterService": (dead_letter_pb2, "payment_svc.audit.DEAD_LETTER_ACTS"),
    "TimelineService": (timeline_pb2, "payment_svc.audit.TIMELINE_ACTS"),
    "LedgerService": (ledger_pb2, "ledger_svc.audit.LEDGER_ACTS"),
    "BookService": (book_pb2, "ledger_svc.audit.BOOK_ACTS"),
    "ReconciliationService": (reconciliation_pb2, "ledger_svc.audit.RECONCILIATION_ACTS"),
    "BankStatementService": (bank_statement_pb2, "ledger_svc.audit.BANK_STATEMENT_ACTS"),
    "CorrectionService": (correction_pb2, "ledger_svc.audit.CORRECTION_ACTS"),
    "BarcodeService": (barcode_pb2, "barcode_svc.audit.BARCODE_ACTS"),
    "DeviceService": (device_pb2, "barcode_svc.audit.DEVICE_ACTS"),
    "MerchantService": (merchant_pb2, "barcode_svc.audit.MERCHANT_ACTS"),
    "AuditService": (audit_pb2, "chassis.audit.rpc.ACTS"),
}


def declared() -> Iterator[tuple[ServiceDescriptor, dict[str, Act]]]:
    """Every service of the contracts with what it declares."""
    for name, (module, place) in SERVICES.items():
        holder, _, variable = place.rpartition(".")
        table = getattr(importlib.import_module(holder), variable)
        yield module.DESCRIPTOR.services_by_name[name], table


class Context:
    """As much of a ServicerContext as is recorded."""

    def __init__(self, caller: str = "operator", **changes: Any) -> None:
        self.caller = caller
        self.metadata: tuple[tuple[str, str], ...] = changes.get("metadata", ())
        self.from_address: str = changes.get("peer", "ipv4:10.0.0.7:52114")
        self.remaining: float | None = changes.get("remaining")

    def auth_context(self) -> dict[str, list[bytes]]:
        """The verified names of the other side."""
        name = f"{self.caller}.qrpay.internal".encode()
        return {"x509_subject_alternative_name": [name]} if self.caller else {}

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        """What came with the call."""
        return self.metadata

    def peer(self) -> str:
        """Where it came from."""
        return self.from_address

    def time_remaining(self) -> float | None:
        """Seconds until the caller's deadline."""
        return self.remaining

    def code(self) -> int:
        """The status that the call was aborted with."""
        return grpc.StatusCode.ABORTED.value[0]


def test_things_are_found_where_the_paths_lead() -> None:
    """Goal: fields, repeated fields and messages below messages; what is not set is nothing; each
    thing once."""
    letters = dead_letter_pb2.RedriveDeadLettersRequest(dead_letter_ids=["dlt_1", "dlt_2", "dlt_1"])
    assert acts.things_at(letters, ["dead_letter_ids"]) == (
        Thing("dead_letter", "dlt_1"),
        Thing("dead_letter", "dlt_2"),
    )
    made = wallet_pb2.CreateOwnerResponse(
        owner=wallet_pb2.Owner(id="usr_1"), wallets=[wallet_pb2.Wallet(id="wal_1")]
    )
    assert acts.things_at(made, ["owner.id", "wallets.id"]) == (
        Thing("owner", "usr_1"),
        Thing("wallet", "wal_1"),
    )
    results = payment_pb2.SubmitPaymentsResponse()
    results.results.add().payment.id = PAYMENT_ID
    results.results.add().error.reason = "WALLET_NOT_FOUND"
    assert acts.things_at(results, ["results.payment.id"]) == (Thing("payment", PAYMENT_ID),)
    by_handle = wallet_pb2.GetOwnerRequest(handle="alice")
    assert acts.things_at(by_handle, ["owner_id"]) == ()


def test_things_have_a_bound() -> None:
    """Goal: nobody fills the table with one call."""
    many = wallet_pb2.BatchGetWalletsRequest(wallet_ids=[f"wal_{n}" for n in range(5000)])
    assert len(acts.things_at(many, ["wallet_ids"])) == acts.THINGS_MAX


@pytest.mark.parametrize(
    "text", [PAYMENT_ID, DIGITS_ID, "txn_17", "mer_cafe-1", "sys_bank", "acc_bank_charges_EUR"]
)
def test_ids_are_kept(text: str) -> None:
    """Goal: whatever the contracts call an id gets through."""
    assert acts.is_fit(text)


@pytest.mark.parametrize(
    "text",
    [
        *(CODE, IBAN, TOKEN, "alice", "Alice Smith", "00020101021126", "x\0", "MER_1", "mer_"),
        *(f"mer_{CODE}", f"mer_{IBAN}", f"mer_{'x' * 61}", "mer_GB82WEST12345698765432"),
    ],
)
def test_what_is_no_id_is_withheld(text: str) -> None:
    """Goal: a code, a number of an account, a token, a QR text or a name that somebody sends in
    place of an id is not kept, also not behind a prefix."""
    request = wallet_pb2.FreezeWalletRequest(wallet_id=text)
    assert acts.things_at(request, ["wallet_id"]) == (Thing("wallet", acts.WITHHELD),)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("wallet_id", "wallet"),
        ("dead_letter_ids", "dead_letter"),
        ("wallets.id", "wallet"),
        ("results.payment.id", "payment"),
        ("postings.account_id", "account"),
        ("reverses", "reverses"),
    ],
)
def test_kinds_are_the_words_of_the_contract(path: str, kind: str) -> None:
    """Goal: nobody writes a kind down a second time."""
    assert acts.kind_of(path) == kind


@pytest.mark.parametrize(
    ("field", "told", "actor"),
    [
        ("ann", "bob", "ann"),
        ("", "bob", "bob"),
        ("", "J%C3%BCrgen%20M", "Jürgen M"),
        ("", "", ""),
        ("opr_" + DIGITS_ID[4:], "", "opr_" + DIGITS_ID[4:]),
        (CODE, "", acts.WITHHELD),
        ("9876 5432 1098 7654 32", "", acts.WITHHELD),
        ("de89 3704 0044 0532 0130 00", "", acts.WITHHELD),
        ("x" * 65, "", acts.WITHHELD),
        ("a\nb", "", acts.WITHHELD),
        ("", CODE, acts.WITHHELD),
    ],
)
def test_the_actor_is_the_person_that_was_told(field: str, told: str, actor: str) -> None:
    """Goal: the request's own field, or else the metadata; and no secret in it."""
    request = dead_letter_pb2.DiscardDeadLetterRequest(actor=field)
    assert acts.actor_of(request, [(channel.ACTOR_METADATA, told)]) == actor
    without_field = wallet_pb2.FreezeWalletRequest()
    expected = acts.actor_of(dead_letter_pb2.DiscardDeadLetterRequest(), [("qrpay-actor", told)])
    assert acts.actor_of(without_field, [(channel.ACTOR_METADATA, told)]) == expected


@pytest.mark.parametrize(
    ("peer", "host"),
    [
        ("ipv4:10.0.0.7:52114", "10.0.0.7"),
        ("ipv6:%5B2001:db8::7%5D:52114", "2001:db8::7"),
        ("ipv6:[::1]:52114", "::1"),
        ("unix:/run/qrpay.sock", "unix"),
        ("", ""),
    ],
)
def test_an_address_has_no_port(peer: str, host: str) -> None:
    """Goal: where a call came from, as the network knows it."""
    assert acts.host_of(peer) == host


@pytest.mark.parametrize(
    ("name", "told"), [("ann", "ann"), ("Jürgen M", "J%C3%BCrgen%20M"), ("", None)]
)
async def test_the_person_travels_with_each_call(name: str, told: str | None) -> None:
    """Goal: any name gets through metadata and comes out as it was; nobody's own act says so."""
    seen: list[Any] = []

    async def method(request: Any, *, timeout: float, metadata: Any) -> Any:
        seen.append(metadata)
        return request

    token = channel.acting_for.set(name)
    await channel.call(method, "x", timeout_seconds=1)  # type: ignore[arg-type]
    channel.acting_for.reset(token)
    (metadata,) = seen
    assert dict(metadata or ()).get(channel.ACTOR_METADATA) == told
    assert acts.told_actor(metadata) == name


CALLERS = ["operator", "acme", "gateway", ""]
RECORDED = {"operator": True, "acme": True, "gateway": False, "": True}
BEFORE = {
    Weight.READ: set(),
    Weight.CHANGE: {"operator", "acme", ""},
    Weight.PAYMENT: {"operator"},
}


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("weight", Weight)
def test_who_is_recorded_and_when(caller: str, weight: Weight) -> None:
    """Goal: services that may call are not recorded and everybody else is; whoever may not is, and
    never beforehand; a change is beforehand, a payment if it is an operator's."""
    act = Act(weight=weight)
    assert act.is_recorded(caller, allowed=True) == RECORDED[caller]
    assert act.is_recorded(caller, allowed=False)
    assert act.is_recorded_before(caller, allowed=True) == (caller in BEFORE[weight])
    assert not act.is_recorded_before(caller, allowed=False)


@pytest.mark.parametrize("weight", Weight)
def test_a_gateway_that_calls_for_an_operator_is_recorded(weight: Weight) -> None:
    """Goal: it makes no difference to the trail by which door an operator comes in."""
    act = Act(weight=weight)
    assert act.is_recorded("gateway", allowed=True, for_person=True)
    before = act.is_recorded_before("gateway", allowed=True, for_person=True)
    assert before == (weight is Weight.CHANGE)
    assert not act.is_recorded_before("gateway", allowed=False, for_person=True)


def redriven(*reasons: str) -> Any:
    """An answer for many items; an empty reason is a success."""
    answer = dead_letter_pb2.RedriveDeadLettersResponse()
    for reason in reasons:
        result = answer.results.add()
        if reason:
            result.error.code, result.error.reason = 9, reason
        else:
            result.letter.letter.payment_id = PAYMENT_ID
    return answer


@pytest.mark.parametrize(
    ("reasons", "outcome"),
    [
        ((), ("OK", "", 0, 0)),
        (("", ""), ("OK", "", 2, 0)),
        (("", "DONE"), ("OK", "DONE", 2, 1)),
        (("", "DONE", "GONE"), ("OK", "MIXED", 3, 2)),
        (("DONE", "DONE"), ("FAILED_PRECONDITION", "DONE", 2, 2)),
    ],
)
def test_how_a_batch_ended(reasons: tuple[str, ...], outcome: tuple[Any, ...]) -> None:
    """Goal: a call all of whose items were refused was not OK, whatever gRPC says."""
    act = change(results="results", made=["results.letter.letter.payment_id"])
    found = acts.outcome_of(redriven(*reasons), act)
    assert found[:4] == outcome
    assert found.made == ((Thing("payment", PAYMENT_ID),) if "" in reasons else ())


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (PermissionDenied(), Outcome("PERMISSION_DENIED", "PERMISSION_DENIED")),
        (InvalidArgument([("iban", IBAN)]), Outcome("INVALID_ARGUMENT", "INVALID_ARGUMENT")),
        (asyncio.CancelledError(), Outcome("CANCELLED")),
        (grpc.aio.AbortError(), Outcome("ABORTED")),
        (RuntimeError(CODE), Outcome("INTERNAL", "INTERNAL")),
    ],
)
def test_how_a_failure_ended(error: BaseException, outcome: Outcome) -> None:
    """Goal: code and reason, never a text."""
    assert acts.outcome_of_error(error, Context()) == outcome


class FakeTrail:
    """Remembers what it was told, in order."""

    def __init__(self, failure: BaseException | None = None) -> None:
        self.told: list[tuple[Any, ...]] = []
        self._failure = failure

    def new_id(self) -> str:
        """Always the same."""
        return "aud_1"

    async def begin(self, call: Any, record_id: str, *, seconds_max: float) -> None:
        """Fails, if it shall."""
        self.told.append(("begin", call, record_id, seconds_max))
        if self._failure:
            raise self._failure

    async def end(self, call: Any, outcome: Any, duration_ms: int, *, begun_id: str) -> None:
        """Remembers."""
        assert duration_ms >= 0
        self.told.append(("end", call, outcome, begun_id))

    def note(self, call: Any, outcome: Any, duration_ms: int, *, begun_id: str = "") -> None:
        """Remembers."""
        self.told.append(("note", call, outcome, begun_id))


def freezing(
    trail: FakeTrail, behaviour: Callable[[], Awaitable[Any]], act: Act | None = None
) -> Callable[[Any, Any], Awaitable[Any]]:
    """FreezeWallet as it is recorded."""

    async def handler(request: Any, context: Any) -> Any:
        trail.told.append(("act",))
        await behaviour()
        return wallet_pb2.FreezeWalletResponse()

    return record_calls(
        handler,
        method="/qrpay.wallet.v1.WalletService/FreezeWallet",
        act=act or change("wallet_id"),
        allowed={"operator", "ledger", "acme"},
        trail=trail,  # type: ignore[arg-type]
    )


REQUEST = wallet_pb2.FreezeWalletRequest(wallet_id="wal_1")


async def nothing() -> None:
    """All is well."""


async def test_a_change_is_recorded_before_and_after() -> None:
    """Goal: the trace is there before the act begins, with all that is known of the call; the end
    says what became of it and which begin it belongs to."""
    trail = FakeTrail()
    context = Context(
        metadata=(("qrpay-actor", "ann"), ("traceparent", f"00-{TRACE}-b7ad6b7169203331-00")),
        remaining=0.5,
    )
    await freezing(trail, nothing)(REQUEST, context)
    call = acts.Call(
        caller="operator",
        actor="ann",
        peer="10.0.0.7",
        method="qrpay.wallet.v1.WalletService/FreezeWallet",
        trace_id=TRACE,
        things=(Thing("wallet", "wal_1"),),
    )
    assert trail.told == [
        ("begin", call, "aud_1", 0.5),
        ("act",),
        ("end", call, Outcome("OK"), "aud_1"),
    ]


async def test_an_act_that_cannot_be_recorded_does_not_happen() -> None:
    """Goal: refused as unavailable before anything is done; what is known of it is noted."""
    trail = FakeTrail(Unavailable())
    with pytest.raises(Unavailable):
        await freezing(trail, nothing)(REQUEST, Context())
    assert [item[0] for item in trail.told] == ["begin", "note"]
    assert trail.told[1][2:] == (Outcome("UNAVAILABLE", "UNAVAILABLE"), "aud_1")


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (asyncio.CancelledError(), "CANCELLED"),
        (RuntimeError(), "INTERNAL"),
        (InvalidArgument([("wallet_id", "is bad")]), "INVALID_ARGUMENT"),
    ],
)
async def test_however_an_act_fails_its_end_is_recorded(error: BaseException, result: str) -> None:
    """Goal: no end is left out, and no error is swallowed or changed."""

    async def fail() -> None:
        raise error

    trail = FakeTrail()
    with pytest.raises(type(error)) as caught:
        await freezing(trail, fail)(REQUEST, Context())
    assert caught.value is error
    assert [item[0] for item in trail.told] == ["begin", "act", "end"]
    assert trail.told[2][2].result == result


async def test_what_is_not_a_change_is_noted_afterwards() -> None:
    """Goal: a reading, and a partner's payment, do not wait for their record."""
    for act in (read("wallet_id"), Act(weight=Weight.PAYMENT)):
        trail = FakeTrail()
        await freezing(trail, nothing, act)(REQUEST, Context("acme"))
        assert [item[0] for item in trail.told] == ["act", "note"]
        assert trail.told[1][3] == ""


async def test_services_are_not_recorded_unless_they_may_not() -> None:
    """Goal: the ledger freezes a wallet without a word; that the gateway wants to is told."""

    async def refuse() -> None:
        raise PermissionDenied

    trail = FakeTrail()
    await freezing(trail, nothing)(REQUEST, Context("ledger"))
    assert trail.told == [("act",)]
    trail = FakeTrail()
    with pytest.raises(PermissionDenied):
        await freezing(trail, refuse)(REQUEST, Context("gateway"))
    (_, (_, call, outcome, begun_id)) = trail.told
    assert (call.caller, outcome.result, begun_id) == ("gateway", "PERMISSION_DENIED", "")


def test_every_method_of_every_service_is_declared() -> None:
    """Goal: nothing goes unrecorded by oversight, and every path leads to a text. The list above is
    all there is."""
    for descriptor, table in declared():
        acts.check_acts(descriptor, table)
    contracts = "".join(path.read_text() for path in (ROOT / "protos").rglob("*.proto"))
    assert set(re.findall(r"^service (\w+)", contracts, re.MULTILINE)) == set(SERVICES)


def test_every_service_hands_its_declaration_over() -> None:
    """Goal: a service that is put together without its acts is found: it would serve unrecorded."""
    found = [
        {keyword.arg for keyword in node.keywords}
        for folder in ("wallet_svc", "payment_svc", "ledger_svc", "barcode_svc", "chassis/audit")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "RpcService"
    ]
    assert len(found) == len(SERVICES)
    assert all("acts" in keywords for keywords in found)


def test_no_path_leads_to_what_is_secret_or_personal() -> None:
    """Goal: only ids are looked at."""
    ids = re.compile(r"(.+[._])?(id|ids)|references\.reference|reverses")
    for descriptor, table in declared():
        for method, act in table.items():
            for path in (*act.things, *act.made):
                assert ids.fullmatch(path), f"{descriptor.name}.{method}: {path}"


@pytest.mark.parametrize(
    "act",
    [
        read("wallet"),
        read("walet_id"),
        read("wallet_id.id"),
        change(made=["wallet.balance_minor"]),
        change(results="wallet"),
    ],
)
def test_a_wrong_declaration_does_not_start(act: Act) -> None:
    """Goal: a path that leads nowhere, or to no text, is found before the first call; and so is a
    method that was forgotten."""
    service = wallet_pb2.DESCRIPTOR.services_by_name["WalletService"]
    right = dict(next(table for descriptor, table in declared() if descriptor is service))
    acts.check_acts(service, right)
    with pytest.raises(AssertionError):
        acts.check_acts(service, {**right, "FreezeWallet": act})
    del right["FreezeWallet"]
    with pytest.raises(AssertionError):
        acts.check_acts(service, right)


def test_the_same_table_in_every_service() -> None:
    """Goal: the four migrations differ by the role alone."""
    texts = {
        path.read_text().replace(path.parts[-3], "SERVICE")
        for path in ROOT.glob("*_svc/migrations/*_pre_audit_records.sql")
    }
    assert len(texts) == 1
    assert len(list(ROOT.glob("*_svc/migrations/*_pre_audit_records.sql"))) == 4


def test_reading_the_trail_is_for_operators_and_is_recorded() -> None:
    """Goal: nobody else reads it, and nobody reads it unseen."""
    assert {"ListAuditRecords": frozenset({"operator"})} == rpc.ALLOWED_CALLERS
    assert rpc.ACTS["ListAuditRecords"].is_recorded("operator", allowed=True)
