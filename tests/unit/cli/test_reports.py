"""What the tool prints, and what a detached supervisor passes on."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator

import msgspec
import pytest
from rich.console import Console

from cli.reports import (
    Failure,
    Message,
    PipeReporter,
    PlainReporter,
    Progress,
    Summary,
    TerminalReporter,
    summary_text,
)
from embedded.supervisor import Announcement

READY = Announcement(kind="ready", name="wallet", text="is ready on port 7001", seconds=1.23)
FELL = Announcement(kind="warning", name="wallet", text="was killed by SIGKILL")
SUMMARY = Summary(gateway="http://127.0.0.1:8080", merchant_id="mer_1", data=".qrpay")


def plain() -> tuple[PlainReporter, io.StringIO]:
    """A reporter without a terminal, and what it wrote."""
    output = io.StringIO()
    return PlainReporter(Console(file=output)), output


def test_plain_lines() -> None:
    """Goal: logs get whole lines without escape sequences, and only news."""
    reporter, output = plain()
    reporter.announce(Announcement(kind="starting", name="wallet"))
    reporter.announce(READY)
    reporter.announce(FELL)
    assert output.getvalue().splitlines() == [
        "wallet is ready on port 7001 after 1.2 s",
        "wallet was killed by SIGKILL",
    ]


@pytest.mark.parametrize("no_color", [True, False])
def test_colour_only_where_wanted(no_color: bool) -> None:
    """Goal: NO_COLOR is obeyed on a terminal too."""
    output = io.StringIO()
    environment = {"NO_COLOR": "1"} if no_color else {}
    console = Console(
        file=output, force_terminal=True, color_system="standard", _environ=environment
    )
    reporter = TerminalReporter(console)
    reporter.announce(READY)
    reporter.close()
    assert "wallet" in output.getvalue()
    assert ("\x1b[32m" in output.getvalue()) is not no_color


@pytest.fixture
def pipe() -> Iterator[tuple[int, PipeReporter, io.StringIO]]:
    """A reporter of a detached supervisor, with the other end and the log."""
    read_end, write_end = os.pipe()
    log, output = plain()
    reporter = PipeReporter(write_end, log)
    yield read_end, reporter, output
    reporter.close()


def test_the_pipe_carries_everything_until_ready(
    pipe: tuple[int, PipeReporter, io.StringIO],
) -> None:
    """Goal: the command that started a detached supervisor sees its progress and its end, and the
    log everything after as well."""
    read_end, reporter, output = pipe
    reporter.announce(READY)
    reporter.ready(SUMMARY)
    reporter.announce(FELL)
    with os.fdopen(read_end, "rb") as messages:
        received = [msgspec.json.decode(line, type=Message) for line in messages]
    assert received == [Progress(announcement=READY), SUMMARY]
    assert "was killed by SIGKILL" in output.getvalue()


def test_a_failure_reaches_the_command(pipe: tuple[int, PipeReporter, io.StringIO]) -> None:
    """Goal: the reason of a failed start is not left in a log."""
    read_end, reporter, _ = pipe
    reporter.failed("no disk")
    with os.fdopen(read_end, "rb") as messages:
        received = [msgspec.json.decode(line, type=Message) for line in messages]
    assert received == [Failure(text="no disk")]


def test_a_supervisor_outlives_its_command(pipe: tuple[int, PipeReporter, io.StringIO]) -> None:
    """Goal: when the command that started it is killed, the supervisor goes on."""
    read_end, reporter, output = pipe
    os.close(read_end)
    reporter.announce(READY)
    reporter.ready(SUMMARY)
    assert "ready at http://127.0.0.1:8080" in output.getvalue()


def test_the_summary_is_ready_to_be_pasted() -> None:
    """Goal: the calls name this stack's address, merchant and data directory."""
    text = summary_text(SUMMARY)
    assert "http://127.0.0.1:8080/payments/send" in text
    assert "/merchants/mer_1/qr?format=text" in text
    assert "$(qrpay token alice)" in text
    other = summary_text(msgspec.structs.replace(SUMMARY, data="other"))
    assert "$(qrpay token alice --data other)" in other
    assert "Prometheus" not in text
    watched = summary_text(msgspec.structs.replace(SUMMARY, prometheus="http://127.0.0.1:9090"))
    assert (
        "  Prometheus  http://127.0.0.1:9090    (alerts: http://127.0.0.1:9090/alerts)" in watched
    )
