"""A stack in a local cluster, as the `qrpay` command knows stacks: ``python -m k8s.live``.

The operator's certificate is in a data directory: of `k8s.local_secrets`, which made a local
cluster's secrets of it, or of a Secret. This writes down beside it on which forwarded ports
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

from embedded.certificates import tls_files
from embedded.errors import StackError
from embedded.layout import Layout, show_path
from embedded.ports import LOOPBACK
from embedded.state import Member, State, forget_state, identify, supervisor_lock, write_state

DATA = Path(".qrpay-k8s")
PORTS = {
    "gateway": 8080,
    "wallet": 9001,
    "payment": 9002,
    "ledger": 9003,
    "barcode": 9004,
    "reconciler": 9005,
}
"""Where each process is forwarded to on this machine, by the Tiltfile or by hand."""


def adopt(layout: Layout, *, ports: Mapping[str, int] = PORTS) -> None:
    """Write down what answers where, for as long as this process lives. Raises StackError."""
    missing = [file for file in tls_files(layout.certificates, "operator") if not file.exists()]
    if missing:
        raise StackError(
            f"there is no {show_path(missing[0])}: python -m k8s.local_secrets makes it, or it"
            " comes from the Secret operator-tls (docs/kubernetes.md)"
        )
    identity = identify(os.getpid())
    assert identity is not None, "this process exists"
    write_state(
        layout,
        State(
            supervisor=identity,
            ready=True,
            members=tuple(
                Member(name=name, kind="process", port=port) for name, port in ports.items()
            ),
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
