"""Compile every .proto in this folder to Python, beside its source.

Proto path = proto package = Python import path, so this folder is an import root:
protos/qrpay/wallet/v1/wallet.proto gives ``from qrpay.wallet.v1 import wallet_pb2``. ``make gen``
runs it; ``make check`` runs it with ``--check``, which writes nothing and fails if the stubs beside
the sources are not what it would make.
"""

from __future__ import annotations

import importlib.resources
import re
import sys
import tempfile
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).parent
STUB = re.compile(r".+_pb2(_grpc)?\.pyi?")


def generate(target: Path) -> None:
    """Write all stubs below ``target``. Exits with protoc's code if it refuses."""
    sources = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("qrpay/**/*.proto"))
    well_known = importlib.resources.files("grpc_tools") / "_proto"
    exit_code = protoc.main(
        [
            "protoc",
            f"-I{ROOT}",
            f"-I{well_known}",
            f"--python_out={target}",
            f"--pyi_out={target}",
            f"--grpc_python_out={target}",
            # `only_async`, not `async_only`: mypy-protobuf ignores the latter without a word.
            f"--mypy_grpc_out=quiet,only_async:{target}",
            *sources,
        ]
    )
    if exit_code:
        sys.exit(int(exit_code))
    for stub in target.glob("qrpay/**/*_pb2_grpc.py*"):
        # A file without a service still gets a stub with nothing in it.
        if "class " not in stub.read_text():
            stub.unlink()


def stubs(root: Path) -> list[Path]:
    """The stubs below a folder, relative to it."""
    paths = (path for path in root.glob("qrpay/**/*") if STUB.fullmatch(path.name))
    return [path.relative_to(root) for path in paths]


def differences(fresh: Path) -> list[str]:
    """The stubs that differ between ``fresh`` and here, or exist on one side only."""
    names = {*stubs(fresh), *stubs(ROOT)}
    return sorted(
        str(name)
        for name in names
        if not (fresh / name).is_file()
        or not (ROOT / name).is_file()
        or (fresh / name).read_bytes() != (ROOT / name).read_bytes()
    )


def main() -> int:
    """Generate here, or compare; answer the exit code."""
    if "--check" in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as directory:
            generate(Path(directory))
            stale = differences(Path(directory))
        for name in stale:
            print(f"stale stub: protos/{name} (run make gen)", file=sys.stderr)
        return 1 if stale else 0
    for stub in stubs(ROOT):
        (ROOT / stub).unlink()
    generate(ROOT)
    return 0


if __name__ == "__main__":
    sys.exit(main())
