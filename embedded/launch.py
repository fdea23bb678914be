"""A few lines between the supervisor and a child's program: run as a script, they end in exec.

They do what must be done inside the new process, before its program: ask the kernel for a signal
when the supervisor dies (so that nothing outlives even a SIGKILL), and give up root where a program
refuses it. Only the standard library, so that the interpreter starts bare (`-I -S`) in some 15 ms.

    launch.py PARENT_PID DEATH_SIGNAL as-is|namespace|drop UID GID DIRECTORY PROGRAM ARGUMENT...
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAP_DAC_OVERRIDE = 1
_CAP_DAC_READ_SEARCH = 2
_CAPABILITY_VERSION = 0x20080522  # _LINUX_CAPABILITY_VERSION_3: two 32-bit words per set
_CLONE_NEWUSER = 0x10000000


def _libc_call(name: str, *arguments: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _enter_namespace(uid: int, gid: int) -> None:
    """Appear as uid and gid inside a new user namespace, and stay the same user outside of it.

    user_namespaces(7): without privilege in the parent namespace a process may map its own ids
    only, and gid_map only once setgroups is denied.
    """
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    _libc_call("unshare", _CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"{uid} {outer_uid} 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"{gid} {outer_gid} 1", encoding="ascii")


def _held_capabilities() -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("CapPrm:"):
            return int(line.split()[1], 16)
    return 0


def _drop(uid: int, gid: int) -> None:
    """Become uid and gid for good, keeping only the right to walk through directories that are
    closed to them.

    The data directory and the programs often lie below a directory of mode 0700 (/root). An ambient
    capability survives exec (capabilities(7)); the weaker one is taken where root still has it --
    containers commonly take CAP_DAC_READ_SEARCH away and leave CAP_DAC_OVERRIDE.
    """
    if not sys.platform.startswith("linux"):
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
        return
    held = _held_capabilities()
    wanted = [c for c in (_CAP_DAC_READ_SEARCH, _CAP_DAC_OVERRIDE) if held & (1 << c)][:1]
    _libc_call("prctl", _PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    mask = sum(1 << capability for capability in wanted)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    data = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)
    _libc_call("capset", header, data)
    for capability in wanted:
        _libc_call("prctl", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0)


def _die_with_parent(parent_pid: int, death_signal: int) -> None:
    if not sys.platform.startswith("linux"):
        return
    _libc_call("prctl", _PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    # The parent may have died before the request: then the signal never comes.
    if os.getppid() != parent_pid:
        sys.exit(128 + signal.SIGKILL)


def main(arguments: list[str]) -> None:
    """Prepare this process as the arguments say and replace it by the program."""
    parent_pid, death_signal, privilege, uid, gid, directory, *command = arguments
    os.umask(0o077)
    try:
        if privilege == "namespace":
            _enter_namespace(int(uid), int(gid))
        elif privilege == "drop":
            _drop(int(uid), int(gid))
        # As the user that the program will be: a directory that he cannot reach is found here.
        os.chdir(directory)
        # After the change of user, which clears the request (prctl(2)).
        _die_with_parent(int(parent_pid), int(death_signal))
        os.execv(command[0], command)  # noqa: S606  # the program and its arguments come from our own code
    except OSError as error:
        sys.stderr.write(f"cannot start {command[0]}: {error}\n")
        sys.exit(126)


if __name__ == "__main__":
    main(sys.argv[1:])
