"""What a pass has found so far."""

from __future__ import annotations

from dataclasses import dataclass, field

from ledger_svc.reconciliation.books import Counts
from ledger_svc.reconciliation.model import Difference

DIFFERENCES_MAX = 10_000
"""More than this is a disaster that no list helps with."""


@dataclass
class Report:
    """Filled while the pass runs."""

    checked: Counts = field(default_factory=Counts)
    buckets_compared: int = 0
    buckets_differing: int = 0
    differences: list[Difference] = field(default_factory=list)
    under_way_ids: set[str] = field(default_factory=set)
    """Payments that did not agree, and may still come to."""
    is_cut_short: bool = False
    """There are more differences than are told."""
    work_done: int = 0
    """How much room for ids is compared, of ``work_left`` at the start."""
    work_left: int = 0
    seconds: float = 0.0

    def count(self, counts: Counts, *, done: int) -> None:
        """Add the rows of a range that is compared, and how long it was."""
        self.checked = Counts(*map(sum, zip(self.checked, counts, strict=True)))
        self.work_done += done

    @property
    def progress(self) -> float:
        """How far it is, 0 to 1."""
        return min(1.0, self.work_done / self.work_left) if self.work_left else 0.0
