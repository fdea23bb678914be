"""Writes what is made from something else: dashboards (grafana/*.json) from ``pages``, and
embedded/alerts.yml, which is rules.yaml without its Kubernetes wrapper.

``make gen`` runs it; ``make check`` runs it with ``--check``, which writes nothing and fails if a
file is not what it would make.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from k8s.observability.document import to_json
from k8s.observability.pages import barcodes, money, overview, promises, queue

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
RULES = HERE / "rules.yaml"
DASHBOARDS = HERE / "grafana"
PLAIN_RULES = ROOT / "embedded" / "alerts.yml"
PAGES = {
    "overview": overview.PAGE,
    "money": money.PAGE,
    "queue": queue.PAGE,
    "barcodes": barcodes.PAGE,
    "promises": promises.PAGE,
}
_INDENT = "  "


def plain_rules(manifest: str) -> str:
    """What is below `spec:`, as Prometheus reads it."""
    _, found, spec = manifest.partition("\nspec:\n")
    if not found:
        raise ValueError("the manifest has no spec")
    head = "# Made from k8s/observability/rules.yaml by make gen.\n"
    return head + "".join(line.removeprefix(_INDENT) for line in spec.splitlines(keepends=True))


def wanted() -> dict[Path, str]:
    """Every file that is made, and its text."""
    files = {
        DASHBOARDS / f"{name}.json": json.dumps(to_json(page), indent=2, ensure_ascii=False) + "\n"
        for name, page in PAGES.items()
    }
    return {**files, PLAIN_RULES: plain_rules(RULES.read_text(encoding="utf-8"))}


def stale() -> list[Path]:
    """The files that differ, are missing, or are not made by anybody."""
    files = wanted()
    differing = [
        path
        for path, text in files.items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    return sorted({*differing, *(set(DASHBOARDS.glob("*.json")) - files.keys())})


def main() -> int:
    """Generate, or compare; answer the exit code."""
    if "--check" in sys.argv[1:]:
        for path in stale():
            print(f"stale: {path.relative_to(ROOT)} (run make gen)", file=sys.stderr)
        return 1 if stale() else 0
    DASHBOARDS.mkdir(exist_ok=True)
    for path in stale():
        path.unlink(missing_ok=True)
    for path, text in wanted().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
