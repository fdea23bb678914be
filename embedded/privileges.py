"""How PostgreSQL is started when the user is root, which it refuses to be."""

from __future__ import annotations

import asyncio
import os
import pwd
import signal
import sys
from pathlib import Path
from typing import Literal

import msgspec

from embedded.errors import StackError

LAUNCHER = Path(__file__).with_name("launch.py")


class Privilege(msgspec.Struct, frozen=True, kw_only=True):
    """As whom a child runs."""

    method: Literal["as-is", "namespace", "drop"] = "as-is"
    """`namespace`: another id inside a user namespace of its own, the same user outside, so that no
    file changes hands. `drop`: another id everywhere, with the right to walk through closed
    directories."""
    uid: int = 0
    """The id that the child sees itself as."""
    gid: int = 0

    @property
    def file_owner(self) -> int | None:
        """Who must own the child's files; None means that they stay as they are."""
        if self.method == "as-is":
            return None
        return self.uid if self.method == "drop" else os.geteuid()


AS_IS = Privilege()


def launch_arguments(
    arguments: tuple[str, ...], *, directory: Path, privilege: Privilege, death_signal: int
) -> list[str]:
    """The command line that starts `arguments` in a directory, through the launcher, as a child of
    this very process."""
    return [
        *(sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), str(death_signal)),
        *(privilege.method, str(privilege.uid), str(privilege.gid), str(directory)),
        *arguments,
    ]


def unprivileged_account() -> tuple[int, int]:
    """The ids of `nobody`, or of any account that is not root: initdb insists on one with a name.

    Raises StackError if the machine knows no such account.
    """
    accounts = [entry for entry in pwd.getpwall() if entry.pw_uid != 0]
    if not accounts:
        raise StackError(
            "PostgreSQL refuses to run as root, and this machine knows no other account"
        )
    chosen = next((entry for entry in accounts if entry.pw_name == "nobody"), accounts[0])
    return chosen.pw_uid, chosen.pw_gid


async def choose_privilege(program: Path, directory: Path) -> Privilege:
    """How to start a program that refuses root: as it is for an ordinary user, else by what works
    here.

    A user namespace comes first because it leaves every file root's; containers often forbid it,
    and it cannot pass through another user's closed home directory. Dropping to an unprivileged id
    works there, and fails where ids are not mapped (a rootless container). Each is tried with
    `program --version`.

    Raises StackError that names what was tried.
    """
    if os.geteuid() != 0:
        return AS_IS
    uid, gid = unprivileged_account()
    failures: list[str] = []
    for method in methods():
        privilege = Privilege(method=method, uid=uid, gid=gid)
        failure = await _probe(program, directory, privilege)
        if failure is None:
            return privilege
        failures.append(f"{method}: {failure}")
    raise StackError(
        "PostgreSQL refuses to run as root, and no way was found to start it as somebody else ("
        + "; ".join(failures)
        + "). Run qrpay as an ordinary user, or point QRPAY_POSTGRES_URL at a server"
    )


def methods() -> tuple[Literal["namespace", "drop"], ...]:
    """The ways to give up root on this system, best first."""
    return ("namespace", "drop") if sys.platform.startswith("linux") else ("drop",)


async def _probe(program: Path, directory: Path, privilege: Privilege) -> str | None:
    """Why the program cannot be started in this way; None if it can."""
    process = await asyncio.create_subprocess_exec(
        *launch_arguments(
            (str(program), "--version"),
            directory=directory,
            privilege=privilege,
            death_signal=signal.SIGKILL,
        ),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, error = await process.communicate()
    if process.returncode == 0:
        return None
    return error.decode(errors="replace").strip() or f"exit status {process.returncode}"


def give_files(directory: Path, privilege: Privilege) -> None:
    """Hand a directory and everything in it to the user that the child will be; quick if it is his.

    Raises StackError if the files belong to somebody else and root is not there to change that.
    """
    wanted = privilege.file_owner
    owner = directory.stat().st_uid
    if wanted is None:
        if owner != os.geteuid():
            raise StackError(
                f"{directory} belongs to user {owner}: run qrpay as that user, or as root, "
                "or choose another --data"
            )
        return
    if owner == wanted:
        return
    group = privilege.gid if privilege.method == "drop" else os.getegid()
    for parent, directories, files in os.walk(directory):
        for name in (*directories, *files):
            os.chown(Path(parent, name), wanted, group, follow_symlinks=False)
    # Last, so that an interrupted walk is done again.
    os.chown(directory, wanted, group)
