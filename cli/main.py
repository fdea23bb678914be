"""`qrpay`: the list of commands, and how each is found."""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

import click

from embedded.errors import StackError


class CommandEntry(NamedTuple):
    """One command, before its module is imported."""

    module: str
    """Holds a click command named `command`."""
    summary: str
    """Its line in the list of commands."""


COMMANDS = {
    "up": CommandEntry("cli.up", "Start the whole system on this machine."),
    "down": CommandEntry("cli.down", "Stop it, and wait until everything is gone."),
    "status": CommandEntry("cli.status", "Show what runs and whether it works."),
    "token": CommandEntry("cli.token", "Print a token to call the HTTP API with."),
    "qr": CommandEntry("cli.qr", "Read and check EMVCo payment codes."),
    "payment": CommandEntry("cli.payment", "Show where a payment has been."),
    "merchant": CommandEntry("cli.merchant", "Show a merchant, and make it a pilot."),
    "dead-letters": CommandEntry("cli.dead_letters", "See to payments that could not be done."),
    "receipt": CommandEntry("cli.receipt", "Check that a payment is in the signed book."),
    "ledger": CommandEntry("cli.ledger", "Read the book, check and correct it."),
    "reconcile": CommandEntry("cli.reconcile", "See whether all books agree."),
    "bank-statement": CommandEntry("cli.bank_statements", "Compare the bank with the book."),
    "audit": CommandEntry("cli.audit", "Show who did what, and what was refused."),
    "bench": CommandEntry("cli.bench", "Measure a running system."),
    "drill": CommandEntry("cli.drill", "Lose a zone of a cluster, and see that nothing is lost."),
}
"""Every command, in the order of the help. A new command is a module and a line here."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called, and not for the help."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """The names, in the order of the help."""
        return list(COMMANDS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002  # click's signature
        cmd_name: str,
    ) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        command = import_module(COMMANDS[cmd_name].module).command
        assert isinstance(command, click.Command), f"{COMMANDS[cmd_name].module} has no command"
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        rows = [(name, COMMANDS[name].summary) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; what the local stack cannot do is said in a sentence, with exit status
        1."""
        try:
            return super().invoke(ctx)
        except StackError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="qrpay")
def main() -> None:
    """A QR-code payment backend that loses no money.

    `qrpay up` starts it here, with demo users and money; `qrpay COMMAND --help` explains a command.
    """


if __name__ == "__main__":
    main()
