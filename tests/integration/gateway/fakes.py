"""Small stand-ins for the services behind the gateway: real gRPC over mTLS, simple rules, and
switches to make them fail, hang or answer what a test needs."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc

from chassis.clock import SystemClock
from chassis.errors import ServiceError, to_item_error
from chassis.ids import IdMaker
from chassis.server import RpcService, Serving, serve
from chassis.settings import ProcessSettings
from chassis.tls import TlsFiles
from qrpay.barcode.v1 import barcode_pb2, barcode_pb2_grpc
from qrpay.payment.v1 import payment_pb2, payment_pb2_grpc, timeline_pb2
from qrpay.type.v1 import failure_code_pb2, money_pb2, transfer_kind_pb2
from qrpay.wallet.v1 import wallet_pb2, wallet_pb2_grpc

IDS = IdMaker(clock=SystemClock())
MERCHANT_ID = "mer_01K000000000000000000000ME"
"""In names of tests, which must be alike in all of pytest's processes."""
NOT_THERE = "nobody"
"""A recipient, a bank account, a code that is never found."""


def refusal(reason: str, code: grpc.StatusCode = grpc.StatusCode.FAILED_PRECONDITION) -> Any:
    """An error as a service raises it."""
    error = ServiceError(f"internal words about {reason}")
    error.reason, error.code = reason, code
    return error


class Faults:
    """How a service misbehaves; ``clear`` makes it well again."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Behave."""
        self.raises: Exception | None = None
        self.hangs: asyncio.Event | None = None
        self.calls: list[str] = []

    async def strike(self, rpc: str) -> None:
        """What every RPC does first."""
        self.calls.append(rpc)
        if self.hangs is not None:
            await self.hangs.wait()
        if self.raises is not None:
            raise self.raises


class FakePayments(payment_pb2_grpc.PaymentServiceServicer):
    """payment_svc without money: what is submitted stays pending until a test completes it."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.refusals: dict[str, ServiceError] = {}
        """Recipient (or QR text, barcode, bank account) -> why the item is refused."""
        self.at_once: dict[str, failure_code_pb2.FailureCode] = {}
        """Recipient -> the payment is terminal when it is answered, with this failure or none."""
        self.steps: dict[str, list[timeline_pb2.TimelineStep]] = {}
        """Of payments, for their timelines."""
        self.wallet_silent = False
        self.before_answer: Callable[[payment_pb2.Payment], Awaitable[None]] | None = None
        self.payments: dict[str, payment_pb2.Payment] = {}
        self.keys: dict[tuple[str, str], tuple[bytes, str]] = {}
        self.events: list[payment_pb2.PaymentEvent] = []
        self.requests: list[payment_pb2.PaymentRequest] = []
        self.batches: list[int] = []
        self.traceparents: list[str] = []
        self.accounts: dict[str, list[payment_pb2.BankAccount]] = defaultdict(list)
        self.first_number = 0
        self._entries: dict[str, int] = defaultdict(int)

    async def SubmitPayments(self, request: Any, context: Any) -> Any:
        """Accept payments, idempotently."""
        await self.faults.strike("SubmitPayments")
        self.batches.append(len(request.items))
        results = []
        for item in request.items:
            self.requests.append(item)
            try:
                payment, replayed = self._accept(item)
            except ServiceError as error:
                results.append(payment_pb2.SubmitPaymentResult(error=to_item_error(error)))
            else:
                if self.before_answer is not None:
                    await self.before_answer(payment)
                results.append(payment_pb2.SubmitPaymentResult(payment=payment, replayed=replayed))
        return payment_pb2.SubmitPaymentsResponse(results=results)

    def _accept(self, item: payment_pb2.PaymentRequest) -> tuple[payment_pb2.Payment, bool]:
        move = item.WhichOneof("move") or ""
        target = {
            "send": item.send.recipient,
            "qr": item.qr.text,
            "barcode": item.barcode.code,
            "withdraw": item.withdraw.bank_account_id,
        }[move]
        if target in self.refusals:
            raise self.refusals[target]
        self.traceparents.append(item.traceparent)
        item.traceparent = ""
        content = item.SerializeToString(deterministic=True)
        key = (item.caller_id, item.request_id)
        if key in self.keys:
            before, payment_id = self.keys[key]
            if before != content:
                raise refusal("REQUEST_ID_REUSED", grpc.StatusCode.ALREADY_EXISTS)
            return self.payments[payment_id], True
        payment = self._payment(item, move, target)
        self.payments[payment.id] = payment
        self.keys[key] = (content, payment.id)
        if target in self.at_once:
            self.complete(payment.id, self.at_once[target])
        return payment, False

    def _payment(
        self, item: payment_pb2.PaymentRequest, move: str, target: str
    ) -> payment_pb2.Payment:
        kind = {
            "send": transfer_kind_pb2.TRANSFER_KIND_SEND,
            "withdraw": transfer_kind_pb2.TRANSFER_KIND_WITHDRAW,
        }.get(move, transfer_kind_pb2.TRANSFER_KIND_PAY)
        payer, payee = item.caller_id, target
        if move == "barcode":
            payer, payee = f"owner-of-{target}", item.caller_id
        payment = payment_pb2.Payment(
            id=IDS.make("pay"),
            kind=kind,
            status=payment_pb2.PAYMENT_STATUS_PENDING,
            payer=payment_pb2.Party(id=payer, name=payer.title()),
            payee=payment_pb2.Party(id=payee, name=payee.title()),
            money=item.money
            if item.HasField("money")
            else money_pb2.Money(currency_code="USD", amount_minor=700),
            note=item.note,
            order_ref=item.order_ref,
        )
        payment.create_time.FromDatetime(datetime.now(UTC))
        return payment

    def complete(
        self,
        payment_id: str,
        failure: failure_code_pb2.FailureCode = failure_code_pb2.FAILURE_CODE_UNSPECIFIED,
    ) -> payment_pb2.PaymentEvent:
        """Make a payment terminal and answer its event, which nobody has been told yet."""
        payment = self.payments[payment_id]
        payment.complete_time.FromDatetime(datetime.now(UTC))
        payment.failure_code = failure
        payment.status = (
            payment_pb2.PAYMENT_STATUS_FAILED if failure else payment_pb2.PAYMENT_STATUS_COMPLETED
        )
        event = payment_pb2.PaymentEvent(number=self.head_number + 1, payment=payment)
        if not failure:
            self._entries[payment.payer.id] += 1
            self._entries[payment.payee.id] += 1
            event.payer_entry_number = self._entries[payment.payer.id]
            event.payee_entry_number = self._entries[payment.payee.id]
        self.events.append(event)
        return event

    def pay(
        self,
        payer: str,
        payee: str,
        failure: failure_code_pb2.FailureCode = failure_code_pb2.FAILURE_CODE_UNSPECIFIED,
    ) -> payment_pb2.PaymentEvent:
        """A payment that was made, and completed or failed, elsewhere: as its event."""
        item = payment_pb2.PaymentRequest(caller_id=payer, request_id=IDS.make("req"))
        item.send.recipient = payee
        item.money.amount_minor, item.money.currency_code = 100, "USD"
        payment, _ = self._accept(item)
        return self.complete(payment.id, failure)

    @property
    def head_number(self) -> int:
        """The number of the newest event."""
        return self.events[-1].number if self.events else self.first_number

    async def GetPayment(self, request: Any, context: Any) -> Any:
        """Read one payment, as its payer, its payee or an operator."""
        await self.faults.strike("GetPayment")
        payment = self.payments.get(request.payment_id)
        if payment is None or (
            request.viewer_id and request.viewer_id not in {payment.payer.id, payment.payee.id}
        ):
            raise refusal("PAYMENT_NOT_FOUND", grpc.StatusCode.NOT_FOUND)
        return payment_pb2.GetPaymentResponse(payment=payment)

    async def GetTimeline(self, request: Any, context: Any) -> Any:
        """The steps that a test has put down; all of them for whoever may read the payment."""
        found = await self.GetPayment(request, context)
        await self.faults.strike("GetTimeline")
        return timeline_pb2.GetTimelineResponse(
            payment=found.payment,
            steps=self.steps.get(request.payment_id, []),
            wallet_silent=self.wallet_silent,
        )

    async def BatchGetPayments(self, request: Any, context: Any) -> Any:
        """Read payments."""
        await self.faults.strike("BatchGetPayments")
        found = [self.payments[it] for it in request.payment_ids if it in self.payments]
        return payment_pb2.BatchGetPaymentsResponse(payments=found)

    async def ListPayments(self, request: Any, context: Any) -> Any:
        """An owner's payments, newest first; the page token is an offset."""
        await self.faults.strike("ListPayments")
        if request.page_token and not request.page_token.isdigit():
            error = refusal("INVALID_ARGUMENT", grpc.StatusCode.INVALID_ARGUMENT)
            error.violations = (("page_token", "is not from here"),)
            raise error
        start = int(request.page_token or 0)
        mine = [
            payment
            for payment in reversed(self.payments.values())
            if request.owner_id in {payment.payer.id, payment.payee.id}
            and request.status in {payment.status, payment_pb2.PAYMENT_STATUS_UNSPECIFIED}
            and request.kind in {payment.kind, transfer_kind_pb2.TRANSFER_KIND_UNSPECIFIED}
            and _within(payment, request)
        ]
        end = start + request.page_size
        return payment_pb2.ListPaymentsResponse(
            payments=mine[start:end], next_page_token=str(end) if end < len(mine) else ""
        )

    async def ListPaymentEvents(self, request: Any, context: Any) -> Any:
        """An owner's events after a number."""
        await self.faults.strike("ListPaymentEvents")
        mine = [
            event
            for event in self.events
            if event.number > request.after_number
            and request.owner_id in {event.payment.payer.id, event.payment.payee.id}
        ]
        size = min(request.page_size, self.page_size_max)
        return payment_pb2.ListPaymentEventsResponse(
            events=mine[:size], more=len(mine) > size, head_number=self.head_number
        )

    page_size_max = 3
    """Small, so that catching up takes several pages."""

    async def ListCompletedPayments(self, request: Any, context: Any) -> Any:
        """Not for gateways."""
        raise refusal("PERMISSION_DENIED", grpc.StatusCode.PERMISSION_DENIED)

    DigestPayments = ListPaymentRecords = RepublishPayments = ListCompletedPayments

    async def CreateBankAccount(self, request: Any, context: Any) -> Any:
        """Store a bank account."""
        await self.faults.strike("CreateBankAccount")
        if request.iban.startswith("XX"):
            error = refusal("INVALID_ARGUMENT", grpc.StatusCode.INVALID_ARGUMENT)
            error.violations = (("iban", "is not a valid IBAN"), ("store.secret", "internal"))
            raise error
        account = payment_pb2.BankAccount(
            id=IDS.make("bnk"), holder=request.holder, masked_iban=f"{request.iban[:4]}****"
        )
        self.accounts[request.owner_id].append(account)
        return payment_pb2.CreateBankAccountResponse(bank_account=account)

    async def ListBankAccounts(self, request: Any, context: Any) -> Any:
        """An owner's bank accounts."""
        await self.faults.strike("ListBankAccounts")
        return payment_pb2.ListBankAccountsResponse(bank_accounts=self.accounts[request.owner_id])


def _within(payment: payment_pb2.Payment, request: payment_pb2.ListPaymentsRequest) -> bool:
    accepted = payment.create_time.ToDatetime()
    after = not request.HasField("start_time") or request.start_time.ToDatetime() <= accepted
    before = not request.HasField("end_time") or accepted < request.end_time.ToDatetime()
    return after and before


class FakeWallets(wallet_pb2_grpc.WalletServiceServicer):
    """wallet_svc's reads; everything else is not called by the gateway."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.wallets: dict[str, list[wallet_pb2.Wallet]] = {}
        self.entries: dict[tuple[str, str], list[wallet_pb2.Entry]] = defaultdict(list)

    def open(self, owner_id: str, *currency_codes: str) -> None:
        """Give an owner wallets, with 1000 of which 50 are held."""
        self.wallets[owner_id] = [
            wallet_pb2.Wallet(
                id=IDS.make("wal"),
                owner_id=owner_id,
                currency_code=code,
                balance_minor=1000,
                held_minor=50,
            )
            for code in currency_codes
        ]

    async def ListWallets(self, request: Any, context: Any) -> Any:
        """An owner's wallets."""
        await self.faults.strike("ListWallets")
        if request.owner_id not in self.wallets:
            raise refusal("OWNER_NOT_FOUND", grpc.StatusCode.NOT_FOUND)
        return wallet_pb2.ListWalletsResponse(wallets=self.wallets[request.owner_id])

    async def ListEntries(self, request: Any, context: Any) -> Any:
        """A wallet's entries."""
        await self.faults.strike("ListEntries")
        owned = {wallet.currency_code for wallet in self.wallets.get(request.owner_id, ())}
        if request.currency_code not in owned:
            raise refusal("CURRENCY_MISMATCH")
        mine = [
            entry
            for entry in self.entries[request.owner_id, request.currency_code]
            if entry.number > request.after_number
        ]
        page = mine[: request.page_size]
        return wallet_pb2.ListEntriesResponse(
            entries=page, next_after_number=page[-1].number if len(mine) > len(page) else 0
        )

    async def GetEntrySpan(self, request: Any, context: Any) -> Any:
        """Which entries are of a span of time, by looking at all of them."""
        await self.faults.strike("GetEntrySpan")
        wallets = {it.currency_code: it for it in self.wallets.get(request.owner_id, ())}
        if request.currency_code not in wallets:
            raise refusal("CURRENCY_MISMATCH")
        entries = self.entries[request.owner_id, request.currency_code]
        start, end = request.start_time.ToNanoseconds(), request.end_time.ToNanoseconds()
        before = [it for it in entries if it.create_time.ToNanoseconds() < start]
        until = [it for it in entries if it.create_time.ToNanoseconds() < end]
        opening = entries[0].balance_after_minor - entries[0].amount_minor if entries else 0
        return wallet_pb2.GetEntrySpanResponse(
            owner=wallet_pb2.Owner(id=request.owner_id, name="Owner"),
            wallet_id=wallets[request.currency_code].id,
            after_number=len(before),
            last_number=len(until),
            opening_balance_minor=before[-1].balance_after_minor if before else opening,
            closing_balance_minor=until[-1].balance_after_minor if until else opening,
        )


class FakeBarcodes(barcode_pb2_grpc.BarcodeServiceServicer):
    """barcode_svc without a database: the codes of one merchant."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.decoded: dict[str, barcode_pb2.DecodedQr] = {}
        self.render_requests: list[barcode_pb2.RenderMerchantQrRequest] = []
        self.revocations: list[barcode_pb2.RevokeMerchantQrRequest] = []
        self.issues: list[barcode_pb2.BarcodeIssue] = []

    async def IssueBarcodes(self, request: Any, context: Any) -> Any:
        """Codes that are valid for a minute."""
        await self.faults.strike("IssueBarcodes")
        self.issues.extend(request.items)
        return barcode_pb2.IssueBarcodesResponse(results=map(self._issued, request.items))

    def _issued(self, item: barcode_pb2.BarcodeIssue) -> barcode_pb2.IssueBarcodeResult:
        drawn = not item.without_images
        barcode = barcode_pb2.IssuedBarcode(
            code="881004327719356024",
            ttl_seconds=60,
            qr_svg="<svg>qr</svg>" if drawn else "",
            code128_svg="<svg>128</svg>" if drawn else "",
        )
        barcode.expire_time.FromDatetime(datetime.now(UTC) + timedelta(seconds=60))
        return barcode_pb2.IssueBarcodeResult(barcode=barcode)

    async def RenderMerchantQr(self, request: Any, context: Any) -> Any:
        """A code whose content and tag say what was asked for."""
        await self.faults.strike("RenderMerchantQr")
        self._check(request.merchant_id)
        self.render_requests.append(request)
        asked = f"{request.format}:{request.money.amount_minor}:{request.reference}"
        return barcode_pb2.RenderMerchantQrResponse(
            content=f"code {asked}".encode(),
            content_type="text/plain",
            etag=asked.replace(":", "-"),
            static=not request.HasField("money"),
        )

    async def RenderPoster(self, request: Any, context: Any) -> Any:
        """A poster whose content and tag say what was asked for."""
        await self.faults.strike("RenderPoster")
        self._check(request.merchant_id)
        asked = f"{request.size}-{request.language}"
        return barcode_pb2.RenderPosterResponse(
            content=f"poster {asked}".encode(), content_type="application/pdf", etag=asked
        )

    async def DecodeQrs(self, request: Any, context: Any) -> Any:
        """What a test said a text means; otherwise it is not sound."""
        await self.faults.strike("DecodeQrs")
        unsound = to_item_error(refusal("QR_INVALID", grpc.StatusCode.INVALID_ARGUMENT))
        return barcode_pb2.DecodeQrsResponse(
            results=[
                self.decoded.get(text, barcode_pb2.DecodedQr(error=unsound))
                for text in request.texts
            ]
        )

    async def RevokeMerchantQr(self, request: Any, context: Any) -> Any:
        """The serial after the one that was named, or after the first."""
        await self.faults.strike("RevokeMerchantQr")
        self._check(request.merchant_id)
        self.revocations.append(request)
        return barcode_pb2.RevokeMerchantQrResponse(serial=(request.serial or 1) + 1)

    async def ListQrKeys(self, request: Any, context: Any) -> Any:
        """The public key of RFC 8037, appendix A."""
        await self.faults.strike("ListQrKeys")
        key = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
        return barcode_pb2.ListQrKeysResponse(
            keys=[barcode_pb2.QrKey(key_id="kPrK_qmx", public_key=key)]
        )

    def _check(self, merchant_id: str) -> None:
        if merchant_id != MERCHANT_ID:
            raise refusal("MERCHANT_NOT_FOUND", grpc.StatusCode.NOT_FOUND)


def rpc_service(servicer: Any, module: Any, grpc_module: Any, service: str) -> RpcService:
    """A fake as a service that the gateway alone may call."""
    descriptor = module.DESCRIPTOR.services_by_name[service]
    return RpcService(
        descriptor=descriptor,
        register=getattr(grpc_module, f"add_{service}Servicer_to_server"),
        servicer=servicer,
        allowed_callers={name: {"gateway"} for name in descriptor.methods_by_name},
    )


@asynccontextmanager
async def running_fake(
    servicer: Any,
    *,
    module: Any,
    grpc_module: Any,
    service: str,
    tls: TlsFiles,
    port: int = 0,
    rpcs_concurrent_max: int = 512,
    beside: Sequence[RpcService] = (),
) -> AsyncIterator[int]:
    """Serve a fake over mTLS for the gateway alone, and those ``beside`` it; yields its port."""
    services = [rpc_service(servicer, module, grpc_module, service), *beside]
    async with running_services(
        services, tls=tls, port=port, rpcs_concurrent_max=rpcs_concurrent_max
    ) as found:
        yield found


@asynccontextmanager
async def running_services(
    services: Sequence[RpcService],
    *,
    tls: TlsFiles,
    port: int = 0,
    rpcs_concurrent_max: int = 512,
) -> AsyncIterator[int]:
    """Serve fakes over mTLS; yields their port."""
    settings = ProcessSettings(
        grpc_listen=f"127.0.0.1:{port}",
        tls_cert_file=tls.cert_file,
        tls_key_file=tls.key_file,
        tls_ca_file=tls.ca_file,
        drain_seconds=0.1,
        rpcs_concurrent_max=rpcs_concurrent_max,
    )
    started: asyncio.Future[Serving] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        serve(
            settings=settings,
            services=services,
            on_started=started.set_result,
        )
    )
    await first_done(started, serving)
    try:
        yield started.result().port
    finally:
        started.result().stopping.set()
        await serving


def fake_service(servicer: Any, module: Any, grpc_module: Any, service: str) -> RpcService:
    """A fake as a service that the gateway alone may call."""
    descriptor = module.DESCRIPTOR.services_by_name[service]
    return RpcService(
        descriptor=descriptor,
        register=getattr(grpc_module, f"add_{service}Servicer_to_server"),
        servicer=servicer,
        allowed_callers={name: {"gateway"} for name in descriptor.methods_by_name},
    )


async def first_done(started: asyncio.Future[Serving], serving: asyncio.Task[None]) -> None:
    """Wait until a server has started; raise what kept it from it."""
    waits: Iterable[asyncio.Future[Any]] = [started, serving]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        serving.result()
