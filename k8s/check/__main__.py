"""Looks at the Kubernetes manifests as a careful reviewer would, without a cluster.

Makes every overlay with kubectl's kustomize, then: Kubernetes' own objects against its schemas,
custom resources against schemas made of their Go types, checkov, kube-score. Exits with 1 if anything
is found. Go is needed for custom resources and kube-score: where there is none they are left out,
which is said; in CI (variable CI) that is a fault.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from k8s.check import custom, linters
from k8s.check.rendering import Rendered, overlays, render
from k8s.check.tools import CHECKOUT, ToolError, go

STEPS = ("schemas", "custom", "checkov", "kube-score")
NEED_GO = ("custom", "kube-score")


def main() -> None:
    """Check, and exit with 1 if there is a finding."""
    options = _options()
    try:
        problems = check(options.checkout, options.only or STEPS)
    except (ToolError, ValueError) as error:
        problems = [str(error)]
    for problem in problems:
        print(problem)
    print(f"k8s-check: {len(problems)} findings")
    sys.exit(1 if problems else 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m k8s.check",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", action="append", choices=STEPS, help="this step (repeatable)")
    parser.add_argument(
        "--checkout", type=Path, default=CHECKOUT, help="whose k8s/ to look at (default: this one)"
    )
    return parser.parse_args()


def check(checkout: Path, steps: tuple[str, ...] | list[str]) -> list[str]:
    """All findings, each with its overlay and who found it."""
    folders = overlays(checkout)
    if not folders:
        raise ValueError(f"there is no kustomization below {checkout / 'k8s'}")
    made = [render(folder) for folder in folders]
    for rendered in made:
        print(f"{rendered.name}: {len(rendered.objects)} objects")
    problems: list[str] = []
    for step in steps:
        if step in NEED_GO and go() is None:
            text = f"NOT CHECKED: {step} needs Go, which is not installed"
            print(text)
            problems += [text] if os.environ.get("CI") else []
            continue
        started = time.monotonic()
        found = [
            f"{rendered.name}: {step}: {line}"
            for rendered in made
            for line in _CHECKS[step](rendered)
        ]
        print(f"{step}: {len(found)} findings, {time.monotonic() - started:.1f} s", flush=True)
        problems += found
    return problems


def _schemas(rendered: Rendered) -> list[str]:
    own = [found for found in rendered.objects if custom.is_built_in(found.get("apiVersion", ""))]
    file = rendered.file.with_suffix(".built-in.yaml")
    file.write_text(yaml.safe_dump_all(own, sort_keys=False))
    return linters.built_in_schemas(rendered, [file] if own else [])


def _custom(rendered: Rendered) -> list[str]:
    wrong, unknown = custom.findings(rendered, custom.custom_schemas())
    return wrong + [f"{what}: no schema (add its Go types to k8s/check/crds)" for what in unknown]


_CHECKS: dict[str, Callable[[Rendered], list[str]]] = {
    "schemas": _schemas,
    "custom": _custom,
    "checkov": linters.checkov,
    "kube-score": linters.kube_score,
}


if __name__ == "__main__":
    main()
