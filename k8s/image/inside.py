"""What a process finds inside the image: runs in the sandbox, with its interpreter and nothing of
the checkout. Each fault is a line; none, and it exits with 0. Standard library only."""

from __future__ import annotations

import ast
import errno
import importlib
import multiprocessing
import os
import sys
import traceback
from pathlib import Path

APP = Path("/app")
# What the base image (Debian, slim, with Python) has beside the interpreter's own folder.
OUTSIDE_BASE = (
    *("ld-linux", "libc.so", "libc-", "libm.so", "libm-", "libdl", "libpthread"),
    *("librt", "libutil", "libgcc_s", "libstdc++", "libz.so", "libssl", "libcrypto"),
    *("libffi", "libuuid", "liblzma", "libbz2", "libsqlite3", "libexpat", "libpython3"),
    *("libnss_", "libresolv", "libgdbm", "libreadline", "libncurses", "libtinfo", "libdb-"),
    *("libcrypt", "libnsl", "libtirpc"),
)


def modules() -> list[tuple[str, Path]]:
    """Every module of ours, by its name."""
    found = []
    for path in sorted(APP.rglob("*.py")):
        parts = list(path.relative_to(APP).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        found.append((".".join(parts), path))
    return found


def wanted(path: Path, name: str) -> set[str]:
    """Every module that a file imports anywhere, also inside of functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return names - {name}


def import_faults() -> list[str]:
    """Import all there is, and all that it would import later."""
    names: set[str] = set()
    for name, path in modules():
        names |= wanted(path, name)
        if not name.endswith("__main__"):
            names.add(name)
    faults = []
    for name in sorted(names):
        try:
            importlib.import_module(name)
        except Exception as error:  # noqa: BLE001 - whatever it is, it would happen in the pod
            where = traceback.extract_tb(error.__traceback__)[-1].filename
            faults.append(f"{name} cannot be imported: {type(error).__name__}: {error} ({where})")
    print(f"{len(names)} modules imported, of which {len(modules())} are ours")
    return faults


def library_faults() -> list[str]:
    """System libraries that were loaded for our packages and that the base image lacks."""
    mapped = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines()}
    own = (str(APP), "/opt/qrpay", sys.base_prefix + "/lib/python")
    outside = {path for path in mapped if ".so" in path and not path.startswith(own)}
    return [
        f"{path} is loaded, which the base image does not have"
        for path in sorted(outside)
        if not Path(path).name.startswith(OUTSIDE_BASE)
    ]


def writable_faults() -> list[str]:
    """Places that take a file, or would from another user: the root itself has to refuse."""
    faults = []
    for folder in ("/", "/app", "/opt/qrpay", "/etc"):
        try:
            Path(folder, "written").write_text("")
        except OSError as error:
            if error.errno == errno.EROFS:
                continue
        faults.append(f"{folder} is not read-only")
    return faults


def user_faults() -> list[str]:
    """Whether we are the image's user, and nobody more."""
    found = f"{os.getuid()}:{os.getgid()}"
    return [] if found == "10001:10001" else [f"runs as {found}, not as 10001:10001"]


def tool_faults() -> list[str]:
    """pip, or what it leaves behind."""
    faults = []
    for name in ("pip", "setuptools", "wheel", "pytest", "hatchling", "cli", "embedded", "bench"):
        if any(Path(folder, name).exists() for folder in sys.path if folder.startswith("/opt")):
            faults.append(f"{name} is installed")
        if (APP / name).exists():
            faults.append(f"{name} is in /app")
    return faults


def _double(number: int) -> int:
    return 2 * number


def process_faults() -> list[str]:
    """Pictures and PDF files are drawn in processes of their own, which need shared memory."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return [] if pool.map(_double, [21]) == [42] else ["a second process answered wrongly"]


if __name__ == "__main__":
    found = [
        *user_faults(),
        *writable_faults(),
        *tool_faults(),
        *import_faults(),
        *library_faults(),
        *process_faults(),
    ]
    for fault in found:
        print(fault)
    sys.exit(1 if found else 0)
