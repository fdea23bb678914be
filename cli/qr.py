"""`qrpay qr`: what a payment code says, and which rules of EMVCo it breaks. Needs no stack."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

import click

from barcode_svc import emvco
from barcode_svc.emvco import BerObject, DataObject, Violation
from cli.options import echo_json, json_option

_TEXT_ARGUMENT = click.argument("text")
_INPUT_CHARACTERS_MAX = 1 << 16


class QrReport:
    """A code of any scheme, read as far as it can be read."""

    def __init__(self, text: str) -> None:
        self.objects: list[dict[str, Any]]
        self.violations: list[Violation]
        self.parsed: bool
        self.name_of: Callable[[str], str]
        """The name of the object at a violation's path."""
        if emvco.is_cpm(text):
            self.violations = emvco.validate_cpm(text)
            self.name_of = emvco.name_of_tag
            try:
                self.objects = _ber_objects(emvco.parse_cpm(text).objects)
                self.parsed = True
            except emvco.EmvcoError:
                self.objects, self.parsed = [], False
        else:
            scan = emvco.scan_text(text)
            self.violations = emvco.validate(text)
            self.name_of = emvco.name_of
            self.objects = _objects(scan.objects)
            self.parsed = not scan.faults

    @property
    def valid(self) -> bool:
        """Whether it keeps every rule of EMVCo."""
        return not self.violations

    def document(self) -> dict[str, Any]:
        """The report for programs."""
        return {
            "valid": self.valid,
            "violations": [
                {"path": item.path, "code": item.code, "message": item.message}
                for item in self.violations
            ],
            "objects": self.objects,
        }


@click.group()
def command() -> None:
    """Read and check EMVCo payment codes.

    Merchant-presented codes of any scheme, and consumer-presented ones (they begin with "hQVDUFY").
    TEXT is what the code says; "-" reads it from standard input.
    """


@command.command()
@_TEXT_ARGUMENT
@json_option
def decode(text: str, *, as_json: bool) -> None:
    """Show what a code says.

    Exits 0 if the code could be read, though it may break rules; 1 if not.
    """
    report = QrReport(_input(text))
    if as_json:
        echo_json(report.document())
    else:
        _print_objects(report.objects, depth=0)
        if not report.parsed:
            _print_violations(report)
    if not report.parsed:
        raise SystemExit(1)


@command.command()
@_TEXT_ARGUMENT
@json_option
def validate(text: str, *, as_json: bool) -> None:
    """Check a code against EMVCo's rules, all of them.

    Exits 0 if it keeps them, 1 if it breaks one.
    """
    report = QrReport(_input(text))
    if as_json:
        echo_json(report.document())
    elif report.valid:
        click.echo("Valid.")
    else:
        _print_violations(report)
    if not report.valid:
        raise SystemExit(1)


def _input(text: str) -> str:
    """The text, or standard input without the line end that a shell puts there."""
    if text != "-":
        return text
    content = sys.stdin.buffer.read(_INPUT_CHARACTERS_MAX)
    # What is not UTF-8 becomes halves of surrogate pairs, which the codec refuses by name.
    return content.decode("utf-8", "surrogateescape").removesuffix("\n").removesuffix("\r")


def _objects(objects: Iterable[DataObject], outer: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for item in objects:
        path = f"{outer}.{item.id}" if outer else item.id
        entry: dict[str, Any] = {"id": item.id, "name": emvco.name_of(path)}
        if item.objects is None:
            entry["value"] = item.value
        else:
            entry["objects"] = _objects(item.objects, path)
        found.append(entry)
    return found


def _ber_objects(objects: Iterable[BerObject]) -> list[dict[str, Any]]:
    return [
        {"id": item.tag, "name": item.name, "value": item.text}
        if item.objects is None
        else {"id": item.tag, "name": item.name, "objects": _ber_objects(item.objects)}
        for item in objects
    ]


def _print_objects(objects: Iterable[dict[str, Any]], *, depth: int) -> None:
    for item in objects:
        line = f"{'  ' * depth}{item['id']}  {item['name']}"
        if "objects" in item:
            click.echo(line)
            _print_objects(item["objects"], depth=depth + 1)
        else:
            click.echo(f"{line}: {_visible(item['value'])}")


def _visible(value: str) -> str:
    """The value with everything escaped that could move the cursor of somebody's terminal."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in value
    )


def _print_violations(report: QrReport) -> None:
    for item in report.violations:
        where = f"{item.path} {report.name_of(item.path)}" if item.path else "payload"
        click.echo(f"{where}: {item.message} [{item.code}]")
