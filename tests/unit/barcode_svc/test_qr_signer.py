"""Signed codes: whatever is edited, swapped or forged is refused; keys can change."""

from __future__ import annotations

import base64
import dataclasses
import re

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from barcode_svc import emvco
from barcode_svc.errors import QrInvalid, QrNotOurs
from barcode_svc.merchant_qr import MerchantQr
from barcode_svc.qr_signer import QrSigner, key_id_of
from chassis.settings import Secret
from chassis.signing import encode_key, read_key
from tests.unit.barcode_svc.payloads import (
    CAFE,
    KEY_ID,
    MERCHANT_ID,
    PRINTABLE,
    SIGNING_KEY,
    SOUND,
    merchant_qrs,
    tlv,
)

STRICT = QrSigner(signing_key=SIGNING_KEY)
OTHER_KEY = Secret(encode_key(bytes(range(32))))
OTHER = QrSigner(signing_key=OTHER_KEY)
DYNAMIC = dataclasses.replace(
    CAFE,
    amount_minor=1250,
    reference="Table 7",
    static=False,
    store_id="baixa",
    terminal_id="till-3",
    serial=0,
    expire_time=1795694400,
)
TAIL = 119
"""Characters of the signature, and of what stands between and behind its halves."""


def resealed(text: str) -> str:
    """The text with a checksum that is right again: what a forger can do."""
    return text[:-4] + emvco.checksum(text[:-4])


def refused(text: str, signer: QrSigner = STRICT) -> bool:
    """Whether the text is refused as unsound."""
    with pytest.raises(QrInvalid):
        signer.read(text)
    return True


def test_keys_have_the_ids_of_their_thumbprints() -> None:
    """Goal: the example of RFC 8037, appendix A: an app that makes thumbprints finds the key."""
    [key] = STRICT.keys
    assert key.id == KEY_ID == key_id_of(key.content)
    assert encode_key(key.content) == "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"


@given(qr=merchant_qrs())
@settings(max_examples=150)
def test_what_is_signed_is_taken(qr: MerchantQr) -> None:
    """Goal: for all that we may print: read back exactly, by the book of EMVCo, in 512 characters,
    and the same text each time."""
    text = STRICT.write(qr)
    assert QrSigner(signing_key=SIGNING_KEY).read(text) == qr
    assert STRICT.write(qr) == text
    assert emvco.validate(text) == []
    assert len(text) <= 512


def test_an_app_can_check_it_offline() -> None:
    """Goal: what docs/barcodes.md says is enough, without our code: key, signed part, signature."""
    text = STRICT.write(DYNAMIC)
    found = re.fullmatch(
        r"(.*0009dev\.qrpay0108([\w-]{8})(?:0210(\d{10}))?)"
        r"0343([\w-]{43})81600009dev\.qrpay0143([\w-]{43})6304[0-9A-F]{4}",
        text,
    )
    assert found is not None
    signed, key_id, expiry, *halves = found.groups()
    assert (key_id, int(expiry)) == (KEY_ID, DYNAMIC.expire_time)
    key = Ed25519PublicKey.from_public_bytes(
        base64.urlsafe_b64decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
    )
    key.verify(base64.urlsafe_b64decode("".join(halves) + "=="), signed.encode())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("540512.50", "540519.50"),
        ("5303978", "5303840"),
        ("5911Cafe Aurora", "5911Cafe Aurela"),
        ("6006Lisbon", "6006Madrid"),
        (MERCHANT_ID, MERCHANT_ID[:-1] + "F"),
        ("0205baixa", "0205porto"),
        ("0306till-3", "0306till-4"),
        ("0507Table 7", "0507Table 8"),
        ("010212", "010211"),
        ("02101795694400", "02101999999999"),
        (KEY_ID, "AAAAAAAA"),
        ("0343", "0443"),
        ("540512.50", ""),
        ("02101795694400", ""),
    ],
)
def test_an_edited_code_is_refused(old: str, new: str) -> None:
    """Goal: amount, name, merchant, shop, till, kind, expiry: none can be changed, whatever the
    checksum."""
    text = STRICT.write(DYNAMIC)
    assert text.count(old) >= 1
    assert refused(resealed(text.replace(old, new, 1)))


@given(data=st.data())
@settings(max_examples=200)
def test_no_character_can_be_changed(data: st.DataObject) -> None:
    """Goal: for every place, also in key id, expiry and signature, and in how they are spelt:
    with a right checksum, too, there is one text for one code."""
    text = STRICT.write(DYNAMIC)
    at = data.draw(st.integers(0, len(text) - 5))
    char = data.draw(PRINTABLE.filter(lambda char: char != text[at]))
    with pytest.raises((QrInvalid, QrNotOurs)):
        STRICT.read(resealed(text[:at] + char + text[at + 1 :]))


def test_every_character_of_the_signature_counts() -> None:
    """Goal: base64url can spell the last byte in four ways; only one is taken."""
    text = STRICT.write(CAFE)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for char in set(alphabet) - {text[-9]}:
        assert refused(resealed(text[:-9] + char + text[-8:]))


def test_nothing_can_be_added() -> None:
    """Goal: neither before the signature nor behind it, where an app might find another amount."""
    text = STRICT.write(CAFE)
    tail = len(text) - TAIL
    begin = text.index("8072")
    for at in (len(text) - 8, begin, tail):
        for added in (tlv("54", "9.00"), tlv("62", tlv("05", "x")), tlv("95", "x")):
            assert refused(resealed(text[:at] + added + text[at:]))


def test_a_signature_cannot_be_lent() -> None:
    """Goal: the signature of one code is none for another; half a signature is none at all."""
    mine, theirs = STRICT.write(CAFE), STRICT.write(dataclasses.replace(CAFE, name="Cafe Aurela"))
    assert refused(resealed(mine[:-TAIL] + theirs[-TAIL:]))
    assert refused(resealed(mine[:-TAIL] + mine[-TAIL : -TAIL + 47] + mine[-8:]))
    begin = mine.index("8072")
    for kept in (mine[begin:-72], mine[-72:-8]):
        assert refused(resealed(mine[:begin] + kept + mine[-8:]), _lenient())


def _lenient() -> QrSigner:
    return QrSigner(signing_key=SIGNING_KEY, unsigned_accepted=True)


def test_another_key_is_not_ours() -> None:
    """Goal: neither under its own id nor under ours."""
    assert refused(OTHER.write(CAFE))
    forged = OTHER.write(CAFE).replace(OTHER.keys[0].id, KEY_ID)
    signed = forged[:-TAIL].encode()
    value = Ed25519PrivateKey.from_private_bytes(bytes(range(32))).sign(signed)
    half = base64.urlsafe_b64encode(value).decode().rstrip("=")
    assert refused(
        resealed(
            f"{forged[:-TAIL]}0343{half[:43]}"
            + tlv("81", "0009dev.qrpay" + tlv("01", half[43:]))
            + "63040000"
        )
    )


def test_keys_rotate() -> None:
    """Goal: old codes are taken while the old public key is listed, and not a moment longer."""
    old_code = OTHER.write(CAFE)
    rotated = QrSigner(signing_key=SIGNING_KEY, accepted=[encode_key(OTHER.keys[0].content)])
    assert rotated.read(old_code) == CAFE
    assert rotated.write(CAFE) == STRICT.write(CAFE)
    assert [key.id for key in rotated.keys] == [KEY_ID, OTHER.keys[0].id]
    assert refused(old_code, QrSigner(signing_key=SIGNING_KEY))
    twice = QrSigner(signing_key=SIGNING_KEY, accepted=[encode_key(STRICT.keys[0].content)])
    assert len(twice.keys) == 1


def test_unsigned_codes_are_taken_only_if_that_is_set() -> None:
    """Goal: what was printed before is refused by default, and so is a code stripped of its
    signature; a wrong signature is refused in any case."""
    assert refused(SOUND)
    text = STRICT.write(CAFE)
    stripped = resealed(text[: text.index("8072")] + text[-8:])
    assert refused(stripped)
    assert _lenient().read(stripped) == CAFE
    assert refused(resealed(text.replace("Aurora", "Aurela")), _lenient())


def test_only_right_codes_are_remembered() -> None:
    """Goal: a forgery is found out each time; memory is bounded."""
    signer = QrSigner(signing_key=SIGNING_KEY, remembered_max=2)
    codes = [STRICT.write(dataclasses.replace(CAFE, serial=number)) for number in (1, 2, 3)]
    for _ in range(2):
        assert [signer.read(code).serial for code in codes] == [1, 2, 3]
        assert refused(resealed(codes[0].replace("Aurora", "Aurela")), signer)


@pytest.mark.parametrize("text", ["", "A" * 42, "A" * 44, "A" * 42 + "=", "+" * 43, "\n"])
def test_what_is_no_key_is_refused_unquoted(text: str) -> None:
    """Goal: a wrong setting is told without showing it."""
    with pytest.raises(ValueError, match="43 characters of base64url") as refusal:
        read_key(text)
    assert not text.strip() or text not in str(refusal.value)
    assert len(read_key("x" * 43)) == 32
