"""The part of the route table that proves payments and tells where they have been."""

from __future__ import annotations

from collections.abc import Iterable

from gateway import answers
from gateway.merchants_api import KEY_SET_TYPE
from gateway.operation import Operation, Success
from gateway.receipts_api import ReceiptsApi
from gateway.route_parts import json_answer
from gateway.timelines_api import TimelinesApi

_RECEIPT_DESCRIPTION = """For its payer, its payee and operators. `qrpay receipt verify` checks it
with nothing but a public key of `/receipts/keys`. It is there some seconds after the
payment was completed: until then 409 `receipt-not-ready`."""
_TIMELINE_DESCRIPTION = """Its payer and its payee read when it was accepted, executed and told;
operators every step: the queue, each try, retries, sweeps, dead letters and what people did with
them, the booking. Times are those of whoever took the step, and two clocks may differ. Take
a step that is not listed here for one that was added later."""


def receipt_operations(receipts: ReceiptsApi, timelines: TimelinesApi) -> Iterable[Operation]:
    """The entries, in the order of the documentation."""
    yield Operation(
        method="GET",
        path="/payments/{payment_id}/timeline",
        tag="Payments",
        summary="Where a payment has been, step by step",
        description=_TIMELINE_DESCRIPTION,
        handler=timelines.read,
        successes=(json_answer("The steps so far.", answers.Timeline),),
        problems=("payment-not-found",),
    )
    yield Operation(
        method="GET",
        path="/payments/{payment_id}/receipt",
        tag="Payments",
        summary="The proof that a payment is in the signed book",
        description=_RECEIPT_DESCRIPTION,
        handler=receipts.read,
        successes=(
            Success(
                status=200,
                description="The receipt: keep it as it is, every byte counts.",
                media_types=("application/json",),
                headers={"Content-Disposition": "A name for the file."},
            ),
        ),
        problems=("payment-not-found", "no-receipt", "receipt-not-ready"),
    )
    yield Operation(
        method="GET",
        path="/receipts/keys",
        tag="Payments",
        summary="The keys that receipts are signed with",
        description="A JSON Web Key Set, the key that signs now first.",
        handler=receipts.keys,
        roles=None,
        successes=(
            Success(
                status=200,
                description="The keys.",
                shape=answers.QrKeys,
                media_types=(KEY_SET_TYPE,),
                headers={"Cache-Control": "How long they may be kept."},
            ),
        ),
        problems=("temporarily-unavailable",),
    )
