"""`qrpay audit`: what several services answer is one list, and each line says how it ended."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner

from cli.audit import Line, merged, result_text
from cli.main import main
from qrpay.audit.v1 import audit_pb2 as pb


def line(service: str, nanoseconds: int, record_id: str) -> Line:
    """A record of a moment."""
    record = pb.AuditRecord(id=record_id)
    record.record_time.FromNanoseconds(nanoseconds)
    return Line(service, record)


def test_the_newest_of_all_services_come_first() -> None:
    """Goal: by time over all services, by id within a moment, and no more than asked for; in the
    same order however the services answer."""
    lines = [
        line("wallet", 3_000, "aud_1"),
        line("wallet", 1_000, "aud_2"),
        line("ledger", 2_000, "aud_4"),
        line("barcode", 2_000, "aud_3"),
    ]
    newest = ["aud_1", "aud_4", "aud_3"]
    assert [item.record.id for item in merged(lines, 3)] == newest
    assert [item.record.id for item in merged(lines[::-1], 3)] == newest


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"result": "OK"}, "OK"),
        ({"result": "BEGUN"}, "BEGUN"),
        ({"result": "NOT_FOUND", "reason": "WALLET_NOT_FOUND"}, "NOT_FOUND WALLET_NOT_FOUND"),
        ({"result": "PERMISSION_DENIED", "reason": "PERMISSION_DENIED"}, "PERMISSION_DENIED"),
        ({"result": "OK", "item_count": 5}, "OK"),
        (
            {"result": "OK", "reason": "GONE", "item_count": 5, "refused_count": 2},
            "OK (2 of 5 refused: GONE)",
        ),
    ],
)
def test_how_a_call_ended_in_words(fields: dict[str, Any], text: str) -> None:
    """Goal: status and reason, each said once; of a batch, how much of it."""
    assert result_text(pb.AuditRecord(**fields)) == text


def test_the_help_explains_what_is_shown() -> None:
    """Goal: every option, and what BEGUN means."""
    told = CliRunner().invoke(main, ["audit", "--help"])
    assert told.exit_code == 0
    for word in ("--since", "--until", "--actor", "--caller", "--method", "--thing", "--result"):
        assert word in told.output
    for word in ("--service", "--json", "--limit", "BEGUN"):
        assert word in told.output


@pytest.mark.parametrize(
    "arguments", [["--result", "FINE"], ["--service", "gateway"], ["--since", "yesterday"]]
)
def test_what_cannot_be_is_refused_before_anybody_is_asked(arguments: list[str]) -> None:
    """Goal: a usage error, without a stack."""
    assert CliRunner().invoke(main, ["audit", *arguments]).exit_code == 2
