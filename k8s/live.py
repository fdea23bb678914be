"""A stack in a local cluster, as the `qrpay` command knows stacks: ``python -m k8s.live``.

`k8s.local_secrets` made the cluster's secrets of a data directory, so that the operator's
certificate and the issuer's key are in there. This writes down beside them on which forwarded ports
everything answers, and stays: while it runs, `qrpay --data .qrpay-k8s ...` works as for a stack of
this machine. The Tiltfile forwards the ports and starts it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from embedded.errors import StackError
from embedded.layout import Layout, show_path
from embedded.ports import LOOPBACK
from embedded.processes import MODULES
from embedded.state import Member, State, forget_state, identify, supervisor_lock, write_state

DATA = Path(".qrpay-k8s")
PORTS = {"gateway": 8080, "wallet": 9001, "payment": 9002, "ledger": 9003, "barcode": 9004}
"""Where the Tiltfile forwards each process to, on this machine."""


def adopt(layout: Layout, *, ports: Mapping[str, int] = PORTS) -> None:
    """Write down what answers where, for as long as this process lives. Raises StackError."""
    issuer = layout.tokens / "issuer.key"
    if not issuer.exists():
        where = show_path(layout.root)
        raise StackError(
            f"{where} has no keys of a cluster: python -m k8s.local_secrets makes them"
        )
    identity = identify(os.getpid())
    assert identity is not None, "this process exists"
    write_state(
        layout,
        State(
            supervisor=identity,
            ready=True,
            members=tuple(Member(name=name, kind="process", port=ports[name]) for name in MODULES),
            gateway=f"http://{LOOPBACK}:{ports['gateway']}",
        ),
    )


async def _stay() -> None:
    over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    await over.wait()


def main() -> None:
    """Stay until told to stop."""
    parser = argparse.ArgumentParser(
        prog="python -m k8s.live",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, default=DATA, help="default: %(default)s")
    layout = Layout(parser.parse_args().data)
    try:
        layout.create()
        with supervisor_lock(layout):
            try:
                adopt(layout)
                where = show_path(layout.root)
                print(f"qrpay ... --data {where} speaks to the cluster now", flush=True)
                asyncio.run(_stay())
            finally:
                forget_state(layout)
    except StackError as error:
        sys.exit(f"live: {error}")


if __name__ == "__main__":
    main()
