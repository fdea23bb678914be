"""What the system's own reconciliation says at the end of a run, and what it has done meanwhile."""

from __future__ import annotations

from pathlib import Path

from chassis.channel import call
from cli.mesh import Mesh
from embedded.layout import Layout
from embedded.state import running_state
from qrpay.ledger.v1 import reconciliation_pb2 as pb
from tests.chaos.checks import Violation

SETTLE_SECONDS = 5.0
SETTINGS = {
    "QRPAY_LEDGER_RECONCILE_EVERY_SECONDS": "2",
    "QRPAY_LEDGER_RECONCILE_SETTLE_SECONDS": str(SETTLE_SECONDS),
    "QRPAY_LEDGER_RECONCILE_HISTORY_SECONDS": "20",
}
"""Quick, so that much of it happens while things break."""
_CALL_SECONDS = 9.0


async def reconcile(data: Path) -> list[Violation]:
    """Compare everything, and look for cases. What was repaired by the normal path is no violation:
    the run broke it. But nothing may ever have been left to a person."""
    layout = Layout(data)
    async with Mesh(layout, running_state(layout).ports) as mesh:
        return await reconcile_by(mesh)


async def reconcile_by(mesh: Mesh) -> list[Violation]:
    """The same, of the services that are called."""
    request = pb.ReconcileRequest(wait_seconds=1)
    while not (
        answer := await call(mesh.reconciliation.Reconcile, request, timeout_seconds=_CALL_SECONDS)
    ).done:
        request.pass_id = answer.pass_id
    cases = await call(
        mesh.reconciliation.ListCases,
        pb.ListCasesRequest(state=pb.CASE_STATE_OPEN),
        timeout_seconds=_CALL_SECONDS,
    )
    found = [("found", item) for item in answer.report.differences]
    found += [("case", item.difference) for item in cases.cases]
    if not answer.report.checked.payments:
        return [Violation("books reconcile", "nothing was compared")]
    return [Violation("books reconcile", f"{name}: {_told(item)}") for name, item in found]


def _told(difference: pb.Difference) -> str:
    kind = pb.DifferenceKind.Name(difference.kind).removeprefix("DIFFERENCE_KIND_").lower()
    return (
        f"{kind} {difference.payment_id} {difference.wallet_id}: "
        f"expected {difference.expected}, found {difference.found}"
    )
