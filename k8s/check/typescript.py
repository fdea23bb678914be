"""CloudNativePG's resources against TypeScript types, which are made of its Go types.

Its Go module is not to be had from every proxy, but an npm package has what its generator makes of
that module (`npm/package.json` pins it, `npm/package-lock.json` its hash). The compiler then sees
an unknown name, a missing one and a value of the wrong type. It does not see ranges, patterns and
the rules that only an API server evaluates.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from pathlib import Path

from k8s.check.rendering import Rendered, title
from k8s.check.tools import CACHE, ENVIRONMENT, ToolError, python_tool, run

GROUP = "postgresql.cnpg.io"
PINNED = Path(__file__).with_name("npm")

_FLAGS = (
    *("--noEmit", "--strict", "--skipLibCheck", "--pretty", "false"),
    *("--module", "nodenext", "--target", "es2022"),
)
_FINDING = re.compile(r"^\S+\((\d+),\d+\): error (.*)$")


def typescript_findings(made: list[Rendered]) -> list[str]:
    """What the compiler says of every resource of the group, each with its overlay and name."""
    lines: list[str] = []
    names: list[str] = []
    for rendered in made:
        for found in rendered.objects:
            group, _, version = str(found.get("apiVersion", "")).rpartition("/")
            if group != GROUP:
                continue
            kind = str(found["kind"])
            # One line per resource: the line number of a finding says whose it is.
            lines.append(
                f"export const it{len(lines)}: import("
                f'"@kubernetes-models/cloudnative-pg/{group}/{version}/{kind}").I{kind}'
                f" = {json.dumps(found)};"
            )
            names.append(f"{rendered.name}: {title(found)}")
    if not lines:
        return []
    folder = _installed()
    source = folder / f"check-{os.getpid()}.ts"
    source.write_text("\n".join(lines) + "\n")
    try:
        compiler = folder / "node_modules" / "typescript" / "bin" / "tsc"
        output = run(
            [python_tool("node"), compiler, *_FLAGS, source.name], folder=folder, codes=(0, 2)
        )
    finally:
        source.unlink()
    return read_findings(output, names)


def read_findings(output: str, names: list[str]) -> list[str]:
    """The compiler's findings with the name of the resource in each line. Raises ToolError if it
    complains of something else."""
    found: list[str] = []
    for line in output.splitlines():
        if line.startswith(" "):
            continue  # the reasons of the finding above
        match = _FINDING.match(line)
        if match is None:
            raise ToolError(f"the TypeScript compiler said: {line}")
        found.append(f"{names[int(match[1]) - 1]}: {match[2]}")
    return found


def _installed() -> Path:
    """The packages, installed when first needed."""
    files = [PINNED / "package.json", PINNED / "package-lock.json"]
    key = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
    folder = CACHE / "npm" / key
    if not (folder / "done").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            shutil.copy(file, folder)
        print("installing the types of CloudNativePG's resources (once)", flush=True)
        run(
            [python_tool("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            folder=folder,
            # npm starts `node` by name.
            environment={"PATH": f"{ENVIRONMENT / 'bin'}{os.pathsep}{os.environ['PATH']}"},
            timeout_seconds=300,
        )
        (folder / "done").touch()
    return folder
