"""Where everything of one stack lies: one directory, closed to everybody else."""

from __future__ import annotations

import os
from pathlib import Path

from embedded.errors import StackError


class Layout:
    """The paths below a data directory. Making one touches nothing; `create` does."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.lock_file = self.root / "lock"
        self.state_file = self.root / "state.json"
        self.ports_file = self.root / "ports.json"
        self.logs = self.root / "logs"
        self.secrets = self.root / "secrets"
        self.certificates = self.root / "certificates"
        self.tokens = self.root / "tokens"
        self.postgres = self.root / "postgres"
        self.nats = self.root / "nats"
        self.valkey = self.root / "valkey"
        self.logos = self.root / "logos"
        self.prometheus = self.root / "prometheus"

    def create(self) -> None:
        """Make the directories that are missing, for this user alone. Raises StackError."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            for directory in (
                self.root,
                self.logs,
                self.secrets,
                self.certificates,
                self.tokens,
            ):
                directory.mkdir(exist_ok=True)
                directory.chmod(0o700)
        except OSError as error:
            raise StackError(f"{show_path(self.root)} cannot be used: {error.strerror}") from error

    def log_file(self, name: str) -> Path:
        """Where a process's output goes."""
        return self.logs / f"{name}.log"

    def secret_file(self, name: str) -> Path:
        """Where a password, a key or a URL with a password is kept."""
        return self.secrets / name


def show_path(path: Path) -> str:
    """A path as its user would write it: relative if it lies below the working directory."""
    here = Path.cwd()
    return os.path.relpath(path, here) if path.is_relative_to(here) else str(path)


def certificate_files(directory: Path, identity: str) -> tuple[Path, Path, Path]:
    """Certificate, private key and authority of an identity of the mesh."""
    return directory / f"{identity}.pem", directory / f"{identity}.key", directory / "ca.pem"
