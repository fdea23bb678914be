"""Demo customers, a merchant and money in a qrpay that runs in Kubernetes, through forwarded ports.

Prints what a shell needs for the first payment: the ids, and tokens of the local issuer. May be
repeated: every call carries a request id that never changes.
"""

from __future__ import annotations

import argparse
import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cli.demo import load_demo
from cli.mesh import Mesh
from embedded.layout import Layout
from embedded.tokens import load_issuer

_TOKEN_LIFE = timedelta(hours=1)


async def run(layout: Layout, ports: dict[str, int], *, now: datetime) -> list[str]:
    """Load the demo; answer the shell's assignments."""
    async with Mesh(layout, ports) as mesh:
        demo = await load_demo(mesh)
    issuer = load_issuer(layout.tokens)
    lines = []
    for handle in ("alice", "bob"):
        owner = demo.owner_ids[handle]
        token = issuer.issue(subject=owner, role="customer", now=now, life=_TOKEN_LIFE)
        lines += [f"{handle.upper()}_ID={owner}", f"{handle.upper()}={token}"]
    return [*lines, f"MERCHANT_ID={demo.merchant_id}"]


def main() -> None:
    """Read the command line and print the lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(".qrpay-k8s"))
    for process in ("wallet", "payment", "barcode", "ledger"):
        parser.add_argument(f"--{process}", type=int, required=True, help="forwarded gRPC port")
    chosen = vars(parser.parse_args())
    layout = Layout(chosen.pop("data"))
    print("\n".join(asyncio.run(run(layout, chosen, now=datetime.now(UTC)))))  # noqa: T201


if __name__ == "__main__":
    main()
