"""How the tool tells what happens: with colour on a terminal, in plain lines otherwise."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Protocol

import msgspec
from rich.console import Console
from rich.status import Status
from rich.text import Text

from embedded.supervisor import Announcement


class Demo(msgspec.Struct, frozen=True, kw_only=True):
    """The ids of the demo users."""

    merchant_id: str
    owner_ids: dict[str, str]
    """By handle."""


class Summary(msgspec.Struct, frozen=True, kw_only=True, tag="ready"):
    """What a user wants to know when everything works."""

    gateway: str
    """URL of the HTTP API."""
    merchant_id: str
    """The demo merchant."""
    data: str
    """The data directory, as its user would write it."""
    prometheus: str | None = None
    """URL of the Prometheus that watches it, if one was asked for."""


class Failure(msgspec.Struct, frozen=True, kw_only=True, tag="failed"):
    """Why a detached start did not succeed."""

    text: str


class Progress(msgspec.Struct, frozen=True, kw_only=True, tag="progress"):
    """An announcement on its way from a detached supervisor."""

    announcement: Announcement


Message = Progress | Summary | Failure
"""What a detached supervisor tells the command that started it: one JSON document per line."""


class Reporter(Protocol):
    """Somebody who tells."""

    def announce(self, announcement: Announcement) -> None:
        """Tell what happens."""
        ...

    def ready(self, summary: Summary) -> None:
        """Tell that everything works."""
        ...

    def say(self, text: str) -> None:
        """Tell something else, in a line."""
        ...

    def close(self) -> None:
        """Nothing more comes."""
        ...


class TerminalReporter:
    """Tells people: green and red, and a spinner with what is still being waited for."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._waiting: dict[str, None] = {}
        self._spinner: Status | None = None

    def announce(self, announcement: Announcement) -> None:
        """Print a line and keep the spinner true."""
        name = announcement.name
        if announcement.kind == "starting":
            self._waiting[name] = None
        elif announcement.kind == "ready":
            self._waiting.pop(name, None)
            self._line(
                "✓", "green", name, f"{announcement.text} after {announcement.seconds:.1f} s"
            )
        elif announcement.kind == "warning":
            self._line("!", "yellow", name, announcement.text)
        else:
            self._line("·", "dim", name, announcement.text)
        self._spin()

    def ready(self, summary: Summary) -> None:
        """Print addresses, users and calls to try."""
        self.close()
        self._console.print(summary_text(summary), highlight=False, soft_wrap=True, markup=False)

    def say(self, text: str) -> None:
        """Print a line."""
        self._console.print(text, highlight=False, markup=False)

    def close(self) -> None:
        """Take the spinner away."""
        if self._spinner is not None:
            self._spinner.stop()
            self._spinner = None

    def _line(self, mark: str, style: str, name: str, text: str) -> None:
        line = Text.assemble(("  " + mark, style), f" {name:<10} " if name else " ", (text, "dim"))
        self._console.print(line, soft_wrap=True)

    def _spin(self) -> None:
        if not self._waiting:
            self.close()
            return
        text = "starting " + ", ".join(self._waiting)
        if self._spinner is None:
            self._spinner = self._console.status(text)
            self._spinner.start()
        else:
            self._spinner.update(text)


class PlainReporter:
    """Tells files and pipes: whole lines."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def announce(self, announcement: Announcement) -> None:
        """Print a line; that something is being started is no news yet."""
        if announcement.kind == "ready":
            self.say(f"{announcement.name} {announcement.text} after {announcement.seconds:.1f} s")
        elif announcement.kind != "starting":
            self.say(f"{announcement.name} {announcement.text}".strip())

    def ready(self, summary: Summary) -> None:
        """Print addresses, users and calls to try."""
        self.say(summary_text(summary))

    def say(self, text: str) -> None:
        """Print a line."""
        # A pipe's other end may want each line now, and may be gone.
        with suppress(BrokenPipeError):
            self._console.print(text, highlight=False, markup=False, soft_wrap=True)
            self._console.file.flush()

    def close(self) -> None:
        """Nothing is open."""


class PipeReporter:
    """Tells the command that started a detached supervisor, as long as it listens."""

    def __init__(self, descriptor: int, log: Reporter) -> None:
        self._descriptor: int | None = descriptor
        self._log = log

    def announce(self, announcement: Announcement) -> None:
        """Pass it on, and into the log."""
        self._log.announce(announcement)
        self._send(Progress(announcement=announcement))

    def ready(self, summary: Summary) -> None:
        """Pass it on; from here on, only the log is told."""
        self._log.say(f"ready at {summary.gateway}")
        self._send(summary)
        self.close()

    def failed(self, text: str) -> None:
        """Tell why it did not start."""
        self._log.say(text)
        self._send(Failure(text=text))
        self.close()

    def say(self, text: str) -> None:
        """Into the log."""
        self._log.say(text)

    def close(self) -> None:
        """Let the other side go."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _send(self, message: Message) -> None:
        if self._descriptor is not None:
            # The command may have been killed; the stack does not depend on it.
            with suppress(BrokenPipeError):
                os.write(self._descriptor, msgspec.json.encode(message) + b"\n")


def make_reporter(console: Console) -> Reporter:
    """The reporter that fits where the output goes."""
    return TerminalReporter(console) if console.is_terminal else PlainReporter(console)


def summary_text(summary: Summary) -> str:
    """Addresses, demo users and three calls to try, ready to be pasted into a shell."""
    watch = summary.prometheus
    data = "" if summary.data == ".qrpay" else f" --data {summary.data}"
    post = (
        '-H "Authorization: Bearer $(qrpay token alice' + data + ')" -H "Prefer: wait=5" '
        '-H "Content-Type: application/json"'
    )
    get = f'-H "Authorization: Bearer $(qrpay token alice{data})"'
    url = summary.gateway
    watched = f"\n  Prometheus  {watch}    (alerts: {watch}/alerts)" if watch else ""
    qr = f"{url}/merchants/{summary.merchant_id}/qr?format=text&amount=450&currency=USD"
    return f"""
qrpay is ready.

  HTTP API    {url}    (pages: {url}/docs)
  Users       alice, bob (customers), cafe (merchant), ops (operator): qrpay token USER{data}
  Status      qrpay status{data}
  Logs        {summary.data}/logs/{watched}

Three calls to try:

  # alice sends bob 12.50 USD
  curl -s {url}/payments/send {post} \\
    -H "Idempotency-Key: send-$(date +%s)" -d '{{"to":"bob","amount":1250,"currency":"USD"}}'

  # alice pays the cafe 4.50 USD with its QR code
  curl -s {url}/payments/pay {post} \\
    -H "Idempotency-Key: pay-$(date +%s)" -d "{{\\"qr\\":\\"$(curl -s '{qr}')\\"}}"

  # what alice has now
  curl -s {url}/wallets/me {get}
"""
