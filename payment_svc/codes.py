"""What a QR code asks for and whose barcode it is: asks barcode, for many at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from chassis.channel import call
from chassis.errors import ServiceError, from_item_error
from qrpay.barcode.v1 import barcode_pb2, barcode_pb2_grpc
from qrpay.type.v1 import money_pb2


class MerchantCode(NamedTuple):
    """What a merchant's QR code asks for."""

    merchant_id: str
    merchant_name: str
    """What the payer was shown before paying: it stays so in the payment."""
    amount_minor: int
    """0 if the payer chooses."""
    currency_code: str
    reference: str


class Redemption(NamedTuple):
    """A barcode to use up."""

    code: str
    redemption_token: str
    merchant_id: str
    amount_minor: int
    currency_code: str
    """What it shall pay: a code that was made offline has limits."""


class Redeemed(NamedTuple):
    """A barcode that was used up."""

    issuance_id: str
    owner_id: str


class Codes:
    """Reads and redeems codes."""

    def __init__(
        self, *, barcodes: barcode_pb2_grpc.BarcodeServiceStub, call_seconds_max: float
    ) -> None:
        self._barcodes = barcodes
        self._call_seconds_max = call_seconds_max

    async def decode_qrs(self, texts: Sequence[str]) -> dict[str, MerchantCode | ServiceError]:
        """What each of the different texts asks for, or why it cannot be paid."""
        response = await call(
            self._barcodes.DecodeQrs,
            barcode_pb2.DecodeQrsRequest(texts=texts),
            timeout_seconds=self._call_seconds_max,
        )
        return {
            text: from_item_error(decoded.error)
            if decoded.HasField("error")
            else MerchantCode(
                decoded.merchant.id,
                decoded.merchant.name,
                decoded.money.amount_minor,
                decoded.money.currency_code or decoded.merchant.currency_code,
                decoded.reference,
            )
            for text, decoded in zip(texts, response.results, strict=True)
        }

    async def redeem(self, redemptions: Sequence[Redemption]) -> list[Redeemed | ServiceError]:
        """Use barcodes up; a repeat with the same token is answered like the first time."""
        response = await call(
            self._barcodes.RedeemBarcodes,
            barcode_pb2.RedeemBarcodesRequest(
                items=[
                    barcode_pb2.BarcodeRedemption(
                        code=item.code,
                        redemption_token=item.redemption_token,
                        merchant_id=item.merchant_id,
                        money=money_pb2.Money(
                            amount_minor=item.amount_minor, currency_code=item.currency_code
                        ),
                    )
                    for item in redemptions
                ]
            ),
            timeout_seconds=self._call_seconds_max,
        )
        return [
            from_item_error(result.error)
            if result.HasField("error")
            else Redeemed(result.barcode.issuance_id, result.barcode.owner_id)
            for result in response.results
        ]
