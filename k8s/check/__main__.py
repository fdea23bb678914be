"""Looks at the Kubernetes manifests as a careful reviewer would, without a cluster.

Makes every overlay with kubectl's kustomize, then: Kubernetes' own objects against its schemas,
custom resources against what their projects declare, checkov, kube-score. Exits with 1 if anything
is found. Installs the programs that it needs when it first needs them.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from k8s.check import custom, linters
from k8s.check.rendering import Rendered, overlays, render
from k8s.check.tools import CHECKOUT, ToolError
from k8s.check.typescript import typescript_findings

STEPS = ("schemas", "custom", "checkov", "kube-score")


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
        started = time.monotonic()
        found = _CHECKS[step](made)
        print(f"{step}: {len(found)} findings, {time.monotonic() - started:.1f} s", flush=True)
        problems += found
    return problems


def _distinct(made: list[Rendered], *, built_in: bool) -> list[Path]:
    """One file per overlay with what no earlier one has: most overlays differ in little, and these
    programs look at one object at a time, slowly."""
    seen: set[str] = set()
    files: list[Path] = []
    for rendered in made:
        new = []
        for found in rendered.objects:
            key = json.dumps(found, sort_keys=True)
            wanted = custom.is_built_in(str(found.get("apiVersion", ""))) or not built_in
            if wanted and key not in seen:
                seen.add(key)
                new.append(found)
        if new:
            # The name is what a finding is told with.
            file = rendered.file.with_suffix(".new.yaml")
            file.write_text(yaml.safe_dump_all(new, sort_keys=False))
            files.append(file)
    return files


def _schemas(made: list[Rendered]) -> list[str]:
    return [f"schemas: {line}" for line in linters.built_in_schemas(_distinct(made, built_in=True))]


def _checkov(made: list[Rendered]) -> list[str]:
    return [f"checkov: {line}" for line in linters.checkov(_distinct(made, built_in=False))]


def _kube_score(made: list[Rendered]) -> list[str]:
    # It looks at what belongs together: each overlay by itself.
    return [
        f"{rendered.name}: kube-score: {line}"
        for rendered in made
        for line in linters.kube_score(rendered)
    ]


def _custom(made: list[Rendered]) -> list[str]:
    schemas = custom.custom_schemas()
    problems = [f"custom: {line}" for line in typescript_findings(made)]
    for rendered in made:
        wrong = custom.findings(rendered, schemas)
        problems += [f"{rendered.name}: custom: {line}" for line in wrong]
    return problems


_CHECKS: dict[str, Callable[[list[Rendered]], list[str]]] = {
    "schemas": _schemas,
    "custom": _custom,
    "checkov": _checkov,
    "kube-score": _kube_score,
}


if __name__ == "__main__":
    main()
