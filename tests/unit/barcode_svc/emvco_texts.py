"""Payloads of any scheme for tests, and everything that can be built."""

from __future__ import annotations

import string

from hypothesis import strategies as st

from barcode_svc import emvco
from barcode_svc.emvco import Account, AdditionalData, Language, MerchantPresented, Template
from tests.unit.barcode_svc.payloads import tlv


def sealed(*objects: tuple[str, str]) -> str:
    """A payload of these objects, in this order, with a right checksum."""
    text = "".join(tlv(id_, value) for id_, value in objects) + "6304"
    return text + emvco.checksum(text.encode("utf-8", "replace").decode())


MERCHANT = MerchantPresented(
    initiation="12",
    accounts=(
        Account(id="02", value="4000123456789012"),
        Template(id="26", guid="com.example", data=(("01", "SHOP-7"),)),
    ),
    category_code="5814",
    currency_number="978",
    amount="12.50",
    tip_or_fee="02",
    fee_fixed="0.50",
    country_code="PT",
    name="Cafe Aurora",
    city="Lisbon",
    postal_code="1100-148",
    additional=AdditionalData(
        bill_number="B-1",
        reference_label="***",
        consumer_data_request="ME",
        systems=(Template(id="50", guid="com.example", data=(("07", "loyal"),)),),
    ),
    language=Language(language="pt", name="Caf\u00e9 Aurora", city="Lisboa"),
    unreserved=(Template(id="80", guid="org.example", data=(("01", "\u6700\u4f73"),)),),
)
"""Every object that there is."""
SAMPLE = sealed(
    *[("00", "01"), ("01", "11"), ("26", tlv("00", "com.example") + tlv("01", "SHOP-7"))],
    *[("52", "5814"), ("53", "978"), ("54", "12.50"), ("58", "PT")],
    *[("59", "Cafe Aurora"), ("60", "Lisbon"), ("62", tlv("05", "R-1"))],
)

_ANS = st.characters(min_codepoint=0x20, max_codepoint=0x7E)
_S = _ANS | st.sampled_from("\u00e9\u00df\u6700\u4f73\u8fd0\u8f93\u0e01\u1780\u1019")
_DIGITS = st.sampled_from("0123456789")


def _ans(length_max: int, length_min: int = 0) -> st.SearchStrategy[str]:
    return st.text(_ANS, min_size=length_min, max_size=length_max)


def _templates(lowest: int, highest: int, count: int) -> st.SearchStrategy[tuple[Template, ...]]:
    ids = st.integers(lowest, highest).map("{:02}".format)
    text = st.text(_ANS if lowest == 26 else _S, min_size=1, max_size=12)
    data = st.dictionaries(st.integers(1, 99).map("{:02}".format), text, max_size=2)
    made = st.builds(
        lambda id_, guid, items: Template(id=id_, guid=guid, data=tuple(items.items())),
        *(ids, _ans(12, 1), data),
    )
    return st.lists(made, max_size=count, unique_by=lambda item: item.id).map(tuple)


@st.composite
def merchants(draw: st.DrawFn) -> MerchantPresented:
    """Whatever can be built, with room in 512 characters."""
    amount = draw(st.sampled_from(["", "1", "98.", "0.01", "9999999999.99", "0012.50"]))
    tip_or_fee = draw(st.sampled_from(["", "01", "02", "03"]))
    labels = [draw(_ans(6)) for _ in range(8)]
    card = st.builds(Account, id=st.integers(2, 25).map("{:02}".format), value=_ans(20, 1))
    accounts = draw(st.lists(card, max_size=2, unique_by=lambda item: item.id).map(tuple))
    templates = draw(_templates(26, 51, 2))
    if not accounts and not templates:
        templates = (Template(id="51", guid="com.example"),)
    request = draw(st.sets(st.sampled_from("AME")).map("".join))
    language = st.builds(
        Language,
        language=st.text(string.ascii_letters, min_size=2, max_size=2),
        name=st.text(_S, min_size=1, max_size=25),
        city=st.text(_S, max_size=15),
    )
    return MerchantPresented(
        initiation=draw(st.sampled_from(["", "11", "12"])),
        accounts=(*accounts, *templates),
        category_code=draw(st.text(_DIGITS, min_size=4, max_size=4)),
        currency_number=draw(st.text(_DIGITS, min_size=3, max_size=3)),
        amount=amount,
        tip_or_fee=tip_or_fee,
        fee_fixed="0.50" if tip_or_fee == "02" else "",
        fee_percent=draw(st.sampled_from(["00.01", "5", "99.99"])) if tip_or_fee == "03" else "",
        country_code=draw(st.text(string.ascii_uppercase, min_size=2, max_size=2)),
        name=draw(_ans(25, 1)),
        city=draw(_ans(15, 1)),
        postal_code=draw(_ans(10)),
        additional=AdditionalData(
            **dict(zip(ADDITIONAL_FIELDS, [*labels[:7], labels[7]], strict=True)),
            consumer_data_request=request,
            systems=draw(_templates(50, 99, 1)) if sum(map(len, labels)) < 10 else (),
        ),
        language=draw(st.none() | language),
        unreserved=draw(_templates(80, 99, 1)),
    )


ADDITIONAL_FIELDS = (
    *("bill_number", "mobile_number", "store_label", "loyalty_number", "reference_label"),
    *("customer_label", "terminal_label", "purpose"),
)


def built(payload: emvco.Payload) -> MerchantPresented:
    """The fields that a payload was built from."""

    def value(*path: str) -> str:
        return payload.value(*path) or ""

    def template(item: emvco.DataObject) -> Template:
        (_, guid), *data = [(inner.id, inner.value) for inner in item.objects or ()]
        return Template(id=item.id, guid=guid, data=tuple(data))

    additional = payload.find("62")
    return MerchantPresented(
        initiation=value("01"),
        accounts=tuple(
            Account(id=item.id, value=item.value) if item.id < "26" else template(item)
            for item in payload.objects
            if "02" <= item.id <= "51"
        ),
        category_code=value("52"),
        currency_number=value("53"),
        amount=value("54"),
        tip_or_fee=value("55"),
        fee_fixed=value("56"),
        fee_percent=value("57"),
        country_code=value("58"),
        name=value("59"),
        city=value("60"),
        postal_code=value("61"),
        additional=AdditionalData(
            **{name: value("62", f"{n:02}") for n, name in enumerate(ADDITIONAL_FIELDS, 1)},
            consumer_data_request=value("62", "09"),
            systems=tuple(
                template(item)
                for item in (additional.objects if additional else None) or ()
                if item.id >= "50"
            ),
        ),
        language=Language(
            language=value("64", "00"), name=value("64", "01"), city=value("64", "02")
        )
        if payload.find("64")
        else None,
        unreserved=tuple(template(item) for item in payload.objects if item.id >= "80"),
    )
