"""Compile every .proto in this folder to Python, beside its source.

Proto path = proto package = Python import path, so this folder is an import root:
protos/qrpay/wallet/v1/wallet.proto gives ``from qrpay.wallet.v1 import wallet_pb2``.
Run it with ``make gen``; ``make check`` runs it too and fails on a difference.
"""

from __future__ import annotations

import importlib.resources
import sys
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).parent


def main() -> int:
    """Generate all stubs; answer protoc's exit code."""
    sources = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("qrpay/**/*.proto"))
    for stale in ROOT.glob("qrpay/**/*_pb2*"):
        stale.unlink()
    well_known = importlib.resources.files("grpc_tools") / "_proto"
    exit_code = protoc.main(
        [
            "protoc",
            f"-I{ROOT}",
            f"-I{well_known}",
            f"--python_out={ROOT}",
            f"--pyi_out={ROOT}",
            f"--grpc_python_out={ROOT}",
            # `only_async`, not `async_only`: mypy-protobuf ignores the latter without a word.
            f"--mypy_grpc_out=only_async:{ROOT}",
            *sources,
        ]
    )
    for generated in ROOT.glob("qrpay/**/*_pb2_grpc.py*"):
        # A file without a service still gets a stub with nothing in it.
        if "class " not in generated.read_text():
            generated.unlink()
    return int(exit_code)


if __name__ == "__main__":
    sys.exit(main())
