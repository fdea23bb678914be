"""Payloads for tests: ours as they should be, and any other with a right checksum."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import strategies as st

from barcode_svc import emvco, merchant_qr
from barcode_svc.merchant_qr import MerchantQr
from barcode_svc.qr_signer import QrSigner
from chassis.money import CURRENCIES
from chassis.settings import Secret

SIGNING_KEY = Secret("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
"""RFC 8037, appendix A.1."""
KEY_ID = "kPrK_qmx"
"""The head of its thumbprint, RFC 8037, appendix A.3."""
SIGNER = QrSigner(signing_key=SIGNING_KEY, unsigned_accepted=True)
"""Takes unsigned codes as well: most tests are about what a code says."""
MERCHANT_ID = "mer_01JD3Q9V7N8R4T2W6X0YZABCDE"
CAFE = MerchantQr(
    merchant_id=MERCHANT_ID,
    name="Cafe Aurora",
    city="Lisbon",
    category_code="5814",
    country_code="PT",
    currency_code="EUR",
    serial=1,
    static=True,
)
PRINTABLE = st.characters(min_codepoint=0x20, max_codepoint=0x7E)


def labels(length_max: int) -> st.SearchStrategy[str]:
    """Printable texts up to a length."""
    return st.text(PRINTABLE, min_size=1, max_size=length_max)


@st.composite
def merchant_qrs(draw: st.DrawFn) -> MerchantQr:
    """Everything that we may print, in every currency and up to the largest amount."""
    static = draw(st.booleans())
    merchant_id = draw(labels(64))
    place = st.just("") | st.from_regex(r"[0-9A-Za-z._-]{1,16}", fullmatch=True)
    places = draw(st.tuples(place, place))
    if not merchant_qr.places_fit(merchant_id, store_id=places[0], terminal_id=places[1]):
        places = ("", "")
    currency_code = draw(st.sampled_from(sorted(CURRENCIES)))
    amounts = st.integers(0, merchant_qr.amount_minor_max(currency_code))
    return MerchantQr(
        merchant_id=merchant_id,
        store_id=places[0],
        terminal_id=places[1],
        serial=draw(st.integers(1, merchant_qr.SERIAL_MAX)) if static else 0,
        expire_time=0 if static else draw(st.integers(10**9, 10**10 - 1)),
        name=draw(labels(25)),
        city=draw(labels(15)),
        category_code=draw(st.from_regex(r"[0-9]{4}", fullmatch=True)),
        country_code=draw(st.from_regex(r"[A-Z]{2}", fullmatch=True)),
        currency_code=currency_code,
        amount_minor=draw(amounts),
        reference=draw(st.just("") | labels(25)),
        static=static,
    )


def tlv(id_: str, value: str) -> str:
    """One object."""
    return f"{id_}{len(value):02}{value}"


def payload(objects: Mapping[str, str], *, last: str = "") -> str:
    """A payload of these objects with a right checksum; ``last`` is put behind it."""
    text = "".join(tlv(id_, value) for id_, value in objects.items()) + "6304"
    return text + emvco.checksum(text) + last


ACCOUNT = tlv("00", "dev.qrpay") + tlv("01", MERCHANT_ID)
OURS = {
    "00": "01",
    "01": "11",
    "26": ACCOUNT,
    "52": "5814",
    "53": "978",
    "58": "PT",
    "59": "Cafe Aurora",
    "60": "Lisbon",
}


def with_(**changes: str | None) -> dict[str, str]:
    """OURS with objects replaced, added or (None) left out: ``with_(o54="5.00")``."""
    objects = {**OURS, **{id_[1:]: value for id_, value in changes.items()}}
    return {id_: value for id_, value in objects.items() if value}


SOUND = payload(OURS)
