"""Every RPC of the mesh, with who may call it and whether it changes something."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from google.protobuf.descriptor import ServiceDescriptor

from barcode_svc import audit as barcode_audit
from barcode_svc import devices_rpc, merchants_rpc
from barcode_svc import rpc as barcode_rpc
from chassis.audit.acts import Act, Weight
from ledger_svc import audit as ledger_audit
from ledger_svc import rpc as ledger_rpc
from ledger_svc.bank_statements import rpc as bank_statements_rpc
from ledger_svc.book import rpc as book_rpc
from ledger_svc.corrections import rpc as corrections_rpc
from ledger_svc.reconciliation import rpc as reconciliation_rpc
from payment_svc import audit as payment_audit
from payment_svc import desk_rpc, timeline_rpc
from payment_svc import rpc as payment_rpc
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
from wallet_svc import audit as wallet_audit
from wallet_svc import rpc as wallet_rpc


class Rpc(NamedTuple):
    """One method of one service."""

    process: str
    service: str
    method: str
    callers: frozenset[str]
    changes: bool

    @property
    def path(self) -> str:
        """As gRPC names it."""
        return f"/{self.service}/{self.method}"


def _of(
    process: str, module: Any, callers: Mapping[str, Collection[str]], acts: Mapping[str, Act]
) -> Iterator[Rpc]:
    (service,) = module.DESCRIPTOR.services_by_name.values()
    assert isinstance(service, ServiceDescriptor)
    assert set(callers) == set(acts) == set(service.methods_by_name)
    for name in service.methods_by_name:
        changes = acts[name].weight is not Weight.READ
        yield Rpc(process, service.full_name, name, frozenset(callers[name]), changes)


RPCS = [
    *_of("payment", payment_pb2, payment_rpc.ALLOWED_CALLERS, payment_audit.PAYMENT_ACTS),
    *_of("payment", dead_letter_pb2, desk_rpc.ALLOWED_CALLERS, payment_audit.DEAD_LETTER_ACTS),
    *_of("payment", timeline_pb2, timeline_rpc.ALLOWED_CALLERS, payment_audit.TIMELINE_ACTS),
    *_of("wallet", wallet_pb2, wallet_rpc.ALLOWED_CALLERS, wallet_audit.WALLET_ACTS),
    *_of("barcode", barcode_pb2, barcode_rpc.ALLOWED_CALLERS, barcode_audit.BARCODE_ACTS),
    *_of("barcode", device_pb2, devices_rpc.ALLOWED_CALLERS, barcode_audit.DEVICE_ACTS),
    *_of("barcode", merchant_pb2, merchants_rpc.ALLOWED_CALLERS, barcode_audit.MERCHANT_ACTS),
    *_of("ledger", ledger_pb2, ledger_rpc.ALLOWED_CALLERS, ledger_audit.LEDGER_ACTS),
    *_of("ledger", book_pb2, book_rpc.ALLOWED_CALLERS, ledger_audit.BOOK_ACTS),
    *_of(
        "ledger",
        reconciliation_pb2,
        reconciliation_rpc.ALLOWED_CALLERS,
        ledger_audit.RECONCILIATION_ACTS,
    ),
    *_of(
        "ledger",
        bank_statement_pb2,
        bank_statements_rpc.ALLOWED_CALLERS,
        ledger_audit.BANK_STATEMENT_ACTS,
    ),
    *_of("ledger", correction_pb2, corrections_rpc.ALLOWED_CALLERS, ledger_audit.CORRECTION_ACTS),
]
"""All but those of the audit trail and of health, which are alike everywhere."""
