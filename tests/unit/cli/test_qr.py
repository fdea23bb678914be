"""`qrpay qr`: codes are read and checked without a stack."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from cli.main import main
from tests.unit.barcode_svc.emvco_texts import SAMPLE, sealed
from tests.unit.barcode_svc.test_emvco_cpm import APPLICATION, shown


def run(*arguments: str, stdin: str | bytes | None = None) -> Result:
    """`qrpay qr ...`."""
    return CliRunner().invoke(main, ["qr", *arguments], input=stdin)


def test_people_see_names() -> None:
    """Goal: an indented list with the names of the objects."""
    result = run("decode", SAMPLE)
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0] == "00  Payload format indicator: 01"
    assert "26  Merchant account template" in lines
    assert "  00  Globally unique identifier: com.example" in lines
    assert "54  Transaction amount: 12.50" in lines
    assert "  05  Reference label: R-1" in lines


@pytest.mark.parametrize("command", ["decode", "validate"])
def test_programs_get_one_document(command: str) -> None:
    """Goal: the document has these members and no others, from either command."""
    result = run(command, "-", "--json", stdin=SAMPLE + "\n")
    assert result.exit_code == 0
    document = json.loads(result.output)
    assert list(document) == ["valid", "violations", "objects"]
    assert document["valid"] is True
    assert document["violations"] == []
    assert document["objects"][0] == {
        "id": "00",
        "name": "Payload format indicator",
        "value": "01",
    }
    assert document["objects"][2] == {
        "id": "26",
        "name": "Merchant account template",
        "objects": [
            {"id": "00", "name": "Globally unique identifier", "value": "com.example"},
            {"id": "01", "name": "Data of the payment system", "value": "SHOP-7"},
        ],
    }


def test_decode_and_validate_differ_in_what_they_ask() -> None:
    """Goal: a national profile can be read, and is not valid; rubbish is neither."""
    profile = sealed(("00", "01"), ("53", "MMK"))
    assert run("decode", profile).exit_code == 0
    result = run("validate", profile)
    assert result.exit_code == 1
    assert "53 Transaction currency: It must be digits. [format]" in result.output
    assert "52 Merchant category code: Merchant category code is missing. [missing]" in (
        result.output
    )
    for command in ("decode", "validate"):
        result = run(command, "rubbish")
        assert result.exit_code == 1
        assert result.output.startswith("payload: An object must begin with")
        document = json.loads(run(command, "rubbish", "--json").output)
        assert document["valid"] is False
        assert document["violations"][0]["code"] == "bad-header"
        assert document["objects"] == []
    assert run("validate", SAMPLE).output == "Valid.\n"


def test_a_wallets_code_is_understood() -> None:
    """Goal: consumer-presented codes have names, too."""
    result = run("decode", shown(APPLICATION))
    assert result.exit_code == 0
    assert "  50  Application label: Example Pay" in result.output.splitlines()
    assert run("validate", shown(APPLICATION)).exit_code == 0
    result = run("decode", "hQVDUFYwMQ==", "--json")
    assert result.exit_code == 1
    assert json.loads(result.output)["violations"][0]["code"] == "no-application"


def test_what_is_shown_does_nothing_to_the_terminal() -> None:
    """Goal: a code cannot move the cursor of whoever looks at it, or hide what it says."""
    result = run("decode", sealed(("00", "01"), ("65", "\x1b[2J\u202e")))
    assert "\\x1b[2J\\u202e" in result.output
    assert "\x1b" not in result.output


@pytest.mark.parametrize("stdin", [b"", b"\xff\xfe", b"0" * 200_000])
def test_any_input_is_answered(stdin: bytes) -> None:
    """Goal: bytes that are no text, nothing, and too much end in a sentence."""
    result = run("validate", "-", stdin=stdin)
    assert result.exit_code == 1
    assert result.output.startswith("payload: ")
