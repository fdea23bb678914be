"""`qrpay up`: start everything and stay with it, or leave it running in the background."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import click
import msgspec
from rich.console import Console

from cli.options import data_option
from cli.reports import (
    Demo,
    Failure,
    Message,
    PipeReporter,
    PlainReporter,
    Progress,
    Reporter,
    Summary,
    make_reporter,
)
from embedded.child import last_lines, open_log
from embedded.errors import StackError, StartFailed
from embedded.jobs import run_job
from embedded.layout import Layout, show_path
from embedded.stack import HTTP_PORT_DEFAULT, StackOptions, running_stack

_SUPERVISOR = "supervisor"


@click.command()
@data_option
@click.option(
    "--http-port",
    type=click.IntRange(1, 65535),
    help=f"Port of the HTTP API.  [default: {HTTP_PORT_DEFAULT}, or a free one if that is taken]",
)
@click.option(
    "--detach", is_flag=True, help="Return as soon as everything works; qrpay down ends it."
)
@click.option(
    "--observe",
    is_flag=True,
    help="Also start a Prometheus that reads every process and has the alerts loaded.",
)
@click.option("--progress-descriptor", type=int, hidden=True)
def command(
    data: Path,
    http_port: int | None,
    detach: bool,
    observe: bool,
    progress_descriptor: int | None,
) -> None:
    """Start the whole system on this machine: PostgreSQL, NATS, Valkey and the five processes.

    Needs no configuration, no Docker and no root. The first start makes keys, passwords, databases
    and demo users; the next ones find them again. Without --detach it stays, starts again what
    falls, and ends everything on Ctrl-C (a second Ctrl-C kills what is left).

    --observe needs a program that no package of ours brings: prometheus, on the PATH (Debian and
    Ubuntu: apt-get install prometheus). Without it nothing starts, and you are told so.

    \b
    QRPAY_POSTGRES_URL  an administrator's URL: use this PostgreSQL and start none
    QRPAY_NATS_URL      use this NATS and start none
    QRPAY_VALKEY_URL    use this Valkey and start none
    QRPAY_<PROCESS>_<SETTING>, LOG_LEVEL, OTEL_EXPORTER_OTLP_ENDPOINT
                        settings of the processes, e.g. QRPAY_GATEWAY_LOG_REQUESTS=true
    """
    options = StackOptions(
        data=data, http_port=http_port, environment=dict(os.environ), observe=observe
    )
    if detach:
        _start_detached(options)
    elif progress_descriptor is not None:
        _run_detached(options, progress_descriptor)
    else:
        with closing(make_reporter(Console())) as reporter:
            asyncio.run(_run(options, reporter))


async def _run(options: StackOptions, reporter: Reporter) -> None:
    """Start everything, stay until a signal comes, end everything."""
    stopping = _StopSignals(reporter)
    try:
        async with running_stack(options, announce=reporter.announce) as stack:
            demo = msgspec.json.decode(await run_job(stack.layout, "cli.demo"), type=Demo)
            stack.supervisor.say_ready(gateway=stack.gateway_url)
            reporter.ready(
                Summary(
                    gateway=stack.gateway_url,
                    merchant_id=demo.merchant_id,
                    data=show_path(stack.layout.root),
                    prometheus=stack.prometheus_url,
                )
            )
            stopping.clean = True
            await asyncio.Event().wait()
    except asyncio.CancelledError:
        reporter.say("Everything is stopped.")
        if not stopping.clean:
            sys.exit(130)


class _StopSignals:
    """Turns the first signal into the end in good order, and the next into the end at once."""

    def __init__(self, reporter: Reporter) -> None:
        self.clean = False
        """Whether the end in good order is what was asked for: everything worked, no second
        signal."""
        self._reporter = reporter
        self._count = 0
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None, "signals are taken for a running task"
        self._task = task
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop)

    def _stop(self) -> None:
        self._count += 1
        if self._count == 1:
            self._reporter.close()
            self._reporter.say("Stopping ... (once more: at once)")
        else:
            self.clean = False
        self._task.cancel()


def _start_detached(options: StackOptions) -> None:
    """Start a supervisor in a session of its own, follow its progress, and leave it."""
    layout = Layout(options.data)
    layout.create()
    reporter = make_reporter(Console())
    read_end, write_end = os.pipe()
    arguments = [sys.executable, "-P", "-m", "cli.main", "up", "--data", str(options.data)]
    arguments += ["--progress-descriptor", str(write_end)]
    if options.http_port is not None:
        arguments += ["--http-port", str(options.http_port)]
    if options.observe:
        arguments.append("--observe")
    with open_log(layout.log_file(_SUPERVISOR)) as log:
        process = subprocess.Popen(  # noqa: S603  # ourselves
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(write_end,),
            start_new_session=True,
        )
    os.close(write_end)
    try:
        answer = _follow(read_end, reporter)
        if not isinstance(answer, Summary):
            process.wait()
    except KeyboardInterrupt:
        reporter.close()
        reporter.say("Stopping ...")
        process.terminate()
        process.wait()
        sys.exit(130)
    finally:
        reporter.close()
    if isinstance(answer, Failure):
        raise StartFailed(answer.text)
    if answer is None:
        tail = last_lines(layout.log_file(_SUPERVISOR))
        raise StartFailed(f"the supervisor ended before everything was ready\n{tail}")
    reporter.ready(answer)


def _follow(read_end: int, reporter: Reporter) -> Summary | Failure | None:
    """Tell what the supervisor tells, until it is ready or has failed; None if it just ended."""
    with os.fdopen(read_end, "rb") as messages:
        for line in messages:
            message: Message = msgspec.json.decode(line, type=Message)
            if not isinstance(message, Progress):
                return message
            reporter.announce(message.announcement)
    return None


def _run_detached(options: StackOptions, descriptor: int) -> None:
    """Be the supervisor in the background."""
    os.set_inheritable(descriptor, False)
    with closing(PipeReporter(descriptor, PlainReporter(Console(soft_wrap=True)))) as reporter:
        try:
            asyncio.run(_run(options, reporter))
        except StackError as error:
            reporter.failed(str(error))
            sys.exit(1)
