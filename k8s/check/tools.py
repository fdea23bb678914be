"""The programs that look at the manifests, each at a pinned version, installed when first needed.

From Python packages into `.venv-k8s` (k8s/check/tools.lock, with hashes); from Go modules into
`.k8s-check/go/NAME-VERSION`. Both folders are ignored by git and may be deleted.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import msgspec

CHECKOUT = Path(__file__).resolve().parents[2]
CACHE = CHECKOUT / ".k8s-check"
ENVIRONMENT = CHECKOUT / ".venv-k8s"
LOCK = Path(__file__).with_name("tools.lock")
BUILD_SECONDS_MAX = 600


class ToolError(Exception):
    """A program could not be installed or run; says which and what it said."""


class GoTool(msgspec.Struct, frozen=True):
    """A program of a Go module."""

    package: str
    version: str

    @property
    def name(self) -> str:
        """Of the program."""
        return self.package.rpartition("/")[2]


KUBE_SCORE = GoTool("github.com/zegl/kube-score/cmd/kube-score", "v1.20.0")


def run(
    command: list[str | Path],
    *,
    folder: Path | None = None,
    codes: tuple[int, ...] = (0,),
    timeout_seconds: float = 120,
    environment: dict[str, str] | None = None,
) -> str:
    """Run a program; answers what it wrote. Raises ToolError if it exits with another code."""
    try:
        done = subprocess.run(  # noqa: S603 - programs of ours
            command,
            cwd=folder or CHECKOUT,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"{command[0]} took longer than {timeout_seconds:g} s") from error
    if done.returncode not in codes:
        said = (done.stdout + done.stderr).strip()
        raise ToolError(f"{' '.join(map(str, command))} exited with {done.returncode}:\n{said}")
    return done.stdout


def python_tool(name: str) -> Path:
    """A program of `.venv-k8s`, which is made anew when the lock has changed."""
    wanted = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    stamp = ENVIRONMENT / "lock.sha256"
    if not stamp.exists() or stamp.read_text() != wanted:
        uv = [sys.executable, "-m", "uv"]
        print(f"installing the tools of {LOCK.name} into {ENVIRONMENT.name} (once)", flush=True)
        run([*uv, "venv", "--quiet", "--clear", "--python", sys.executable, ENVIRONMENT])
        run(
            [*uv, "pip", "sync", "--quiet", "--python", ENVIRONMENT, "--require-hashes", LOCK],
            timeout_seconds=BUILD_SECONDS_MAX,
        )
        stamp.write_text(wanted)
    return ENVIRONMENT / "bin" / name


def go_tool(tool: GoTool) -> Path:
    """A program of a Go module, built once per version."""
    folder = CACHE / "go" / f"{tool.name}-{tool.version}"
    program = folder / tool.name
    if not program.exists():
        print(f"building {tool.name} {tool.version} (once)", flush=True)
        run(
            [python_tool("go"), "install", f"{tool.package}@{tool.version}"],
            environment={"GOBIN": str(folder), "CGO_ENABLED": "0", "GOFLAGS": "-trimpath"},
            timeout_seconds=BUILD_SECONDS_MAX,
        )
    return program
