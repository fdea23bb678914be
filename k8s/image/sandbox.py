"""A folder as a container would see it: its own root, read-only, as user 10001, nothing else there.

With Linux alone: mount, PID and IPC namespaces, bind mounts, chroot. As root the process gets the
image's user; anybody else gets a user namespace in which the user is called that.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

USER = 10001
DEVICES = ("null", "zero", "full", "urandom", "random")

_SET_UP = """
mount --bind "$ROOT" "$ROOT"
for folder in $SHOWN; do
    mount --rbind "$folder" "$ROOT$folder"
    mount -o remount,bind,ro,nosuid "$ROOT$folder" || mount -o remount,bind,ro "$ROOT$folder"
done
for device in $DEVICES; do mount --bind "/dev/$device" "$ROOT/dev/$device"; done
mount -t proc proc "$ROOT/proc" 2>/dev/null || mount --rbind /proc "$ROOT/proc"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$ROOT/dev/shm"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$ROOT/tmp"
mount -o remount,bind,ro "$ROOT"
"""
_AS_ROOT = (
    'exec chroot "$ROOT" setpriv --reuid {user} --regid {user} --clear-groups --no-new-privs '
    "--bounding-set=-all --inh-caps=-all {command}"
)
_AS_ANYBODY = 'exec unshare --user --map-user={user} --map-group={user} --root="$ROOT" {command}'


class Sandbox:
    """Runs commands in a root folder that holds what the image would."""

    def __init__(self, root: Path, *, environment: Mapping[str, str]) -> None:
        self._root = root
        self._environment = dict(environment)
        # The base image's part: the C library and the interpreter, at their own places.
        prefix = Path(sys.base_prefix).resolve()
        self._shown = [Path("/usr")] + ([] if prefix.is_relative_to("/usr") else [prefix])
        for folder in (*self._shown, *map(Path, ("/proc", "/dev/shm", "/tmp", "/etc"))):  # noqa: S108
            self.inside(folder).mkdir(parents=True, exist_ok=True)
        for name in ("bin", "lib", "lib64"):
            if Path("/", name).is_symlink():
                (root / name).symlink_to(Path("/", name).readlink())
            else:
                (root / name).mkdir()
                self._shown.append(Path("/", name))
        for device in DEVICES:
            (root / "dev" / device).touch()
        (root / "etc" / "passwd").write_text(
            f"qrpay:x:{USER}:{USER}::/nonexistent:/usr/sbin/nologin\n"
        )

    def inside(self, path: Path) -> Path:
        """Where a path of the sandbox is outside of it."""
        return self._root / path.relative_to("/")

    def give(self, path: Path, content: bytes) -> Path:
        """Write a file that only the sandbox's user may read; answers its path in there."""
        target = self.inside(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        target.chmod(0o400)
        if os.geteuid() == 0:
            os.chown(target, USER, USER)
        return path

    def start(
        self, command: list[str], *, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """Start a command with these variables beside the image's own and no others."""
        in_root = os.geteuid() == 0
        script = _SET_UP + (_AS_ROOT if in_root else _AS_ANYBODY).format(
            user=USER, command=shlex.join(["env", "-i", *self._variables(environment), *command])
        )
        return subprocess.Popen(  # noqa: S603 - unshare, and a script of ours
            [
                *("unshare", "--mount", "--pid", "--ipc", "--fork", "--kill-child"),
                *(() if in_root else ("--user", "--map-root-user")),
                *("--propagation", "private", "sh", "-euc", script),
            ],
            env={
                "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin",
                "ROOT": str(self._root),
                "SHOWN": " ".join(map(str, self._shown)),
                "DEVICES": " ".join(DEVICES),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(
        self,
        command: list[str],
        *,
        environment: Mapping[str, str] | None = None,
        timeout_seconds: float = 60,
    ) -> tuple[int, str]:
        """Run a command to its end; answers its exit code and all it said."""
        process = self.start(command, environment=environment)
        try:
            output, _ = process.communicate(timeout=timeout_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
            output += f"\n(did not end within {timeout_seconds:g} s)"
        return process.returncode, output

    def _variables(self, more: Mapping[str, str] | None) -> list[str]:
        return [f"{name}={value}" for name, value in {**self._environment, **(more or {})}.items()]
