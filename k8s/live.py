"""A stack in a cluster, as the `qrpay` command knows stacks: ``python -m k8s.live``.

Reads what an operator needs from the cluster's Secrets (his certificate, the issuer's key, the
administrator's password of PostgreSQL) into a data directory closed to everybody else, says there on
which forwarded ports everything answers, and stays: while it runs, `qrpay --data .qrpay-cluster ...`
works as for a stack of this machine. What it wrote down is gone when it ends. For development
clusters: the Tiltfile forwards the ports and starts it.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from embedded.certificates import tls_files
from embedded.errors import StackError
from embedded.layout import Layout
from embedded.passwords import write_private
from embedded.ports import LOOPBACK
from embedded.processes import MODULES
from embedded.state import Member, State, forget_state, identify, supervisor_lock, write_state

PORTS = {
    **{"wallet": 9001, "payment": 9002, "ledger": 9003, "barcode": 9004, "gateway": 8080},
    "postgres": 15432,
}
"""Where the Tiltfile forwards what to, on this machine."""
OPERATOR_SECRET = "qrpay-operator-tls"  # noqa: S105 - its name
ISSUER_SECRET = "qrpay-token-issuer"  # noqa: S105
POSTGRES_SECRET = "qrpay-postgres-admin"  # noqa: S105
_KUBECTL_SECONDS_MAX = 30

Secret = Mapping[str, bytes]
ReadSecret = Callable[[str], Secret]


def adopt(layout: Layout, read_secret: ReadSecret, *, ports: Mapping[str, int] = PORTS) -> None:
    """Write down the operator's keys and what answers where. Raises StackError."""
    layout.create()
    operator = read_secret(OPERATOR_SECRET)
    files = tls_files(layout.certificates, "operator")
    for file, name in (
        (files.cert_file, "tls.crt"),
        (files.key_file, "tls.key"),
        (files.ca_file, "ca.crt"),
    ):
        write_private(file, _text(operator, name, of=OPERATOR_SECRET))
    issuer = read_secret(ISSUER_SECRET)
    write_private(
        layout.tokens / "issuer.key", _text(issuer, "issuer.key", of=ISSUER_SECRET)
    )
    password = _text(read_secret(POSTGRES_SECRET), "password", of=POSTGRES_SECRET)
    identity = identify(os.getpid())
    assert identity is not None, "this process exists"
    processes = [Member(name=name, kind="process", port=ports[name]) for name in MODULES]
    database = Member(
        name="postgres",
        kind="server",
        port=ports["postgres"],
        url=f"postgresql://postgres:{quote(password.strip(), safe='')}"
        f"@{LOOPBACK}:{ports['postgres']}/postgres",
    )
    write_state(
        layout,
        State(
            supervisor=identity,
            ready=True,
            members=(database, *processes),
            gateway=f"http://{LOOPBACK}:{ports['gateway']}",
        ),
    )


def _text(secret: Secret, name: str, *, of: str) -> str:
    if name not in secret:
        raise StackError(f"Secret {of} has no {name}: is k8s/overlays/local what was applied?")
    return secret[name].decode()


def kubectl_secret(namespace: str, name: str) -> Secret:
    """The values of a Secret, through kubectl and its context of the moment. Raises StackError."""
    try:
        done = subprocess.run(  # noqa: S603
            ["kubectl", "get", "secret", name, "--namespace", namespace, "--output", "json"],  # noqa: S607
            capture_output=True,
            timeout=_KUBECTL_SECONDS_MAX,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StackError(f"kubectl: {error}") from error
    if done.returncode:
        raise StackError(f"Secret {name}: {done.stderr.decode(errors='replace').strip()}")
    found: Any = json.loads(done.stdout)
    return {key: base64.b64decode(value) for key, value in found.get("data", {}).items()}


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
    parser.add_argument("--data", type=Path, default=Path(".qrpay-cluster"))
    parser.add_argument("--namespace", default="qrpay")
    options = parser.parse_args()
    layout = Layout(options.data)
    try:
        layout.create()
        with supervisor_lock(layout):
            try:
                adopt(layout, lambda name: kubectl_secret(options.namespace, name))
                print(f"qrpay --data {options.data} ... speaks to the cluster now", flush=True)
                asyncio.run(_stay())
            finally:
                forget_state(layout)
                # The keys stay no longer than they are used.
                for file in (*layout.certificates.iterdir(), *layout.tokens.iterdir()):
                    file.unlink()
    except StackError as error:
        sys.exit(f"live: {error}")


if __name__ == "__main__":
    main()
