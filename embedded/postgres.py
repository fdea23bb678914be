"""PostgreSQL from the wheel: initialise a cluster, configure it, start it, ask whether it is
ready."""

from __future__ import annotations

import asyncio
import os
import signal
import struct
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import msgspec
import psutil

from embedded.binaries import POSTGRES_DISTRIBUTION, find_binary
from embedded.child import Command, ServerProcess, running, start_child
from embedded.errors import NotReady, StackError, StartFailed
from embedded.passwords import remembered_password
from embedded.ports import LOOPBACK, find_free_port
from embedded.privileges import Privilege, choose_privilege, give_files

ADMINISTRATOR = "postgres"

# What every cluster of ours has. Memory is a laptop's: the whole stack idles below 700 MB.
_SETTINGS = f"""\
listen_addresses = '{LOOPBACK}'
unix_socket_directories = ''      # TCP with a password is the only way in
max_connections = 100
dynamic_shared_memory_type = mmap # a container's /dev/shm is often tiny
jit = off                         # short statements only
io_method = sync                  # saves the three workers of the default
max_logical_replication_workers = 0
max_parallel_workers_per_gather = 0
autovacuum_max_workers = 2
wal_compression = off             # pglz takes 50 us for a page, and saves little of it
min_wal_size = 256MB
max_wal_size = 4GB                # checkpoints follow the clock, not a burst of payments
checkpoint_timeout = 15min
random_page_cost = 1.1            # no spinning disk
password_encryption = scram-sha-256
log_timezone = 'UTC'
timezone = 'UTC'
log_line_prefix = '%m [%p] %q%u@%d '
log_parameter_max_length = 0      # parameters may be secret
log_parameter_max_length_on_error = 0
"""
_DURABLE = """\
fsync = on
full_page_writes = on
synchronous_commit = on
"""
_FORGETFUL = """\
fsync = off                       # a test's cluster is thrown away: it need not survive a crash
full_page_writes = off
synchronous_commit = off
"""
# After a crash every file is synced before recovery; one call for the whole file system is quicker
# than one for each of some thousand files.
_LINUX = """\
recovery_init_sync_method = syncfs
"""
_HOST_RULES = f"""\
# Type  Database  User  Address           Method
host    all       all   {LOOPBACK}/32      scram-sha-256
"""


class PostgresServer(msgspec.Struct, frozen=True, kw_only=True):
    """A running PostgreSQL."""

    admin_url: str
    """URL of the superuser, database `postgres`, with password."""
    port: int
    process: ServerProcess
    """To kill it and start it again."""


def postgres_url(*, user: str, password: str, port: int, database: str) -> str:
    """The URL of a database on this machine's loopback."""
    return f"postgresql://{user}:{quote(password, safe='')}@{LOOPBACK}:{port}/{database}"


async def postgres_command(
    *,
    cluster: Path,
    port: int,
    admin_password: str,
    log_file: Path,
    durable: bool = True,
    privilege: Privilege | None = None,
) -> Command:
    """Make the cluster ready to start (initialise it when it is new) and say how to start it.

    `cluster` is the data directory of PostgreSQL; its parent exists. `durable=False` is for tests:
    no fsync. `privilege` None finds out how root may start it. Raises StackError, StartFailed.
    """
    server = find_binary(POSTGRES_DISTRIBUTION, "postgres")
    if privilege is None:
        privilege = await choose_privilege(server, cluster.parent)
    if not (cluster / "PG_VERSION").exists():
        await _initialise(cluster, admin_password, log_file, durable, privilege)
    give_files(cluster, privilege)
    _remove_stale_lock(cluster)
    _write(cluster / "postgresql.conf", _configuration(durable), privilege)
    _write(cluster / "pg_hba.conf", _HOST_RULES, privilege)
    return Command(
        name="postgres",
        arguments=(str(server), "-D", str(cluster), "-p", str(port)),
        log_file=log_file,
        directory=cluster,
        environment={"LC_ALL": "C"},
        # "Fast shutdown": ends sessions, writes a checkpoint. SIGTERM would wait for clients to
        # leave.
        stop_signal=signal.SIGINT,
        stop_seconds=20.0,
        privilege=privilege,
    )


async def _initialise(
    cluster: Path, admin_password: str, log_file: Path, durable: bool, privilege: Privilege
) -> None:
    """Run initdb in a fresh directory and move it into place when it is whole."""
    unfinished = cluster.with_name(cluster.name + ".new")
    _remove_tree(unfinished)
    unfinished.mkdir(mode=0o700)
    password_file = unfinished.with_name(unfinished.name + ".password")
    _write(password_file, admin_password + "\n", privilege)
    give_files(unfinished, privilege)
    arguments = [
        *(str(find_binary(POSTGRES_DISTRIBUTION, "initdb")), "--pgdata", str(unfinished)),
        *("--username", ADMINISTRATOR, "--pwfile", str(password_file)),
        *("--auth", "scram-sha-256", "--encoding", "UTF8", "--data-checksums"),
        # The same order and case rules on every machine, whatever the C library knows.
        *("--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
    ]
    if not durable:
        arguments.append("--no-sync")
    child = await start_child(
        Command(
            name="initdb",
            arguments=tuple(arguments),
            log_file=log_file,
            directory=unfinished,
            environment={"LC_ALL": "C"},
            privilege=privilege,
        )
    )
    try:
        status = await asyncio.wait_for(child.wait(), timeout=120)
    except BaseException:
        await child.kill()
        raise
    finally:
        password_file.unlink()
    if status != 0:
        raise StartFailed(f"initdb ended with status {status}; see {log_file}")
    unfinished.rename(cluster)


def _configuration(durable: bool) -> str:
    system = _LINUX if sys.platform.startswith("linux") else ""
    buffers = shared_buffers_megabytes(psutil.virtual_memory().total)
    return (
        _SETTINGS
        + f"shared_buffers = {buffers}MB\n"
        + system
        + (_DURABLE if durable else _FORGETFUL)
    )


def shared_buffers_megabytes(memory_bytes: int) -> int:
    """How much of the machine's memory PostgreSQL may use for pages; it takes it as it needs it.

    Where payments go on is one page per payer in each of half a dozen indexes: 480 MB for 10,000
    payers. A page that is not there is read and another one written for it, which takes 18 us.
    """
    return max(96, min(4096, memory_bytes // 8 // 2**20))


def _remove_tree(directory: Path) -> None:
    for parent, directories, files in os.walk(directory, topdown=False):
        for name in files:
            Path(parent, name).unlink()
        for name in directories:
            Path(parent, name).rmdir()
    if directory.exists():
        directory.rmdir()


def _write(file: Path, text: str, privilege: Privilege) -> None:
    """Write a file that only the server's user can read."""
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as output:
        output.write(text)
        if privilege.file_owner is not None:
            os.fchown(descriptor, privilege.file_owner, -1)


def _remove_stale_lock(cluster: Path) -> None:
    """Remove postmaster.pid if the process it names is not this cluster's server.

    PostgreSQL itself only asks whether a process of that number exists, and after a restart of the
    machine or of a container the number may be anybody's.
    """
    lock = cluster / "postmaster.pid"
    if not lock.exists():
        return
    first_line = lock.read_text(encoding="utf-8").partition("\n")[0].strip()
    try:
        process = psutil.Process(int(first_line))
        ours = "-D" in process.cmdline() and str(cluster) in process.cmdline()
    except (ValueError, psutil.Error):
        ours = False
    if ours:
        raise StackError(f"a PostgreSQL server (process {first_line}) still runs on {cluster}")
    lock.unlink()


async def check_postgres(url: str) -> None:
    """Ask whether the server takes sign-ins, without signing in. Raises NotReady, OSError.

    Without a driver, which the supervisor would have to carry for as long as it runs. In the
    protocol (version 3.0): a start message with the user's name, answered by `R` (how to
    authenticate) or by `E` (still starting up, too many connections, ...).
    """
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname or LOOPBACK, parts.port or 5432)
    try:
        words = ("user", unquote(parts.username or ""), "database", parts.path.lstrip("/"), "")
        body = struct.pack("!i", 3 << 16) + b"".join(word.encode() + b"\0" for word in words)
        writer.write(struct.pack("!i", len(body) + 4) + body)
        await writer.drain()
        kind, length = struct.unpack("!ci", await reader.readexactly(5))
        if kind != b"R":
            text = (await reader.readexactly(length - 4)).decode(errors="replace")
            raise NotReady("PostgreSQL: " + text.replace("\0", " ").strip())
    except asyncio.IncompleteReadError as error:
        raise NotReady("PostgreSQL: connection closed") from error
    finally:
        writer.close()


@asynccontextmanager
async def running_postgres(
    directory: Path, *, durable: bool = True, privilege: Privilege | None = None
) -> AsyncIterator[PostgresServer]:
    """Start a PostgreSQL with a password of its own in an existing directory; stop it at the end.

    The directory gets `postgres/`, `postgres.password` and `postgres.log`; a second start there
    finds the first one's data. Raises StackError, StartFailed.
    """
    password, port = remembered_password(directory / "postgres.password"), find_free_port()
    command = await postgres_command(
        cluster=directory / "postgres",
        port=port,
        admin_password=password,
        log_file=directory / "postgres.log",
        durable=durable,
        privilege=privilege,
    )
    url = postgres_url(user=ADMINISTRATOR, password=password, port=port, database="postgres")
    async with running(command, lambda: check_postgres(url)) as process:
        yield PostgresServer(admin_url=url, port=port, process=process)
