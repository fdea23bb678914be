"""The digits of a barcode and their disguises."""

from __future__ import annotations

import re

from barcode_svc.codes import CodeSeal
from chassis.settings import Secret

KEY = Secret("k" * 32)
OTHER_KEY = Secret("o" * 32)


def bytes_of(number: int) -> CodeSeal:
    """A seal whose chance is this number."""
    return CodeSeal(KEY, random_bytes=lambda count: number.to_bytes(count, "big"))


def test_a_code_is_eighteen_digits() -> None:
    """Goal: always eighteen, small numbers padded: a scanner checks the length."""
    codes = {
        bytes_of(number).unseal(bytes_of(number).make().seed).reveal() for number in range(2000)
    }
    assert len(codes) == 2000
    assert all(re.fullmatch("8[0-9]{17}", code) for code in codes)
    assert any(code.startswith("80") for code in codes)


def test_every_digit_after_the_first_is_random() -> None:
    """Goal: no other prefix, no pattern: each digit stands at each place as often as the others."""
    codes = [
        bytes_of(number).unseal(bytes_of(number).make().seed).reveal() for number in range(4000)
    ]
    for place in range(1, 18):
        counts = [sum(code[place] == digit for code in codes) for digit in "0123456789"]
        assert min(counts) > 300
        assert max(counts) < 500


def test_the_disguises_belong_to_the_code() -> None:
    """Goal: the digest that the pool keeps is the one under which the scanned digits are found."""
    seal = CodeSeal(KEY)
    code = seal.make()
    assert seal.digest_of(seal.unseal(code.seed)) == code.digest
    assert re.fullmatch("[0-9a-f]{32}", code.digest)


def test_the_disguises_need_the_key() -> None:
    """Goal: with another key, seed and digest give nothing away."""
    seal, stranger = CodeSeal(KEY), CodeSeal(OTHER_KEY)
    code = seal.make()
    digits = seal.unseal(code.seed)
    assert stranger.unseal(code.seed) != digits
    assert stranger.digest_of(digits) != code.digest
    assert digits.reveal() not in code.seed + code.digest


def test_randomness_is_the_sources() -> None:
    """Goal: chance comes from the argument alone, sixteen bytes a code; by default it differs."""
    asked: list[int] = []

    def random_bytes(count: int) -> bytes:
        asked.append(count)
        return b"\x07" * count

    seal = CodeSeal(KEY, random_bytes=random_bytes)
    assert seal.make() == seal.make()
    assert asked == [16, 16]
    assert len({CodeSeal(KEY).make() for _ in range(100)}) == 100


def test_any_scanned_text_has_a_digest() -> None:
    """Goal: a wrong label is unknown, not an error."""
    seal = CodeSeal(KEY)
    texts = ["", "4006381333931", "\uff11" * 18, "x" * 5000, "\x00"]
    assert len({seal.digest_of(Secret(text)) for text in texts}) == len(texts)


def test_a_code_is_hidden_where_it_is_shown_by_accident() -> None:
    """Goal: printing or logging the objects that carry codes does not give them away."""
    seal = CodeSeal(KEY)
    digits = seal.unseal(seal.make().seed)
    assert digits.reveal() not in repr(digits) + str(digits) + repr(seal)
    assert KEY.reveal() not in repr(vars(CodeSeal))
