"""A supervisor in a process of its own, for tests that kill it: `lone_supervisor.py DATA FILE`.

It runs one child, `survivor`, which obeys SIGTERM only if FILE exists, and prints a line when that
child works.
"""

from __future__ import annotations

import asyncio
import os
import sys
from functools import partial
from pathlib import Path

from embedded.child import Command
from embedded.layout import Layout
from embedded.ports import LOOPBACK, find_free_port
from embedded.state import identify, supervisor_lock
from embedded.supervisor import Program, Supervisor

SURVIVOR = """
import signal, socket, sys
from pathlib import Path
def end(*_):
    print("SIGTERM", flush=True)
    if Path(sys.argv[2]).exists():
        sys.exit()
signal.signal(signal.SIGTERM, end)
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    server.accept()[0].close()
"""


async def main(data: Path, permission: str) -> None:
    """Run until killed."""
    layout = Layout(data)
    layout.create()
    identity = identify(os.getpid())
    assert identity is not None
    port = find_free_port()
    command = Command(
        name="survivor",
        arguments=(sys.executable, "-c", SURVIVOR, str(port), permission),
        log_file=layout.log_file("survivor"),
        directory=layout.root,
    )
    with supervisor_lock(layout):
        supervisor = Supervisor(
            layout=layout, identity=identity, announce=lambda _: None, ready_seconds_max=20
        )
        check = partial(connect, port)
        await supervisor.start(Program(command=command, kind="process", check=check, port=port))
        sys.stdout.write("started\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


async def connect(port: int) -> None:
    """Ready means that somebody listens."""
    _, writer = await asyncio.open_connection(LOOPBACK, port)
    writer.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
