"""Builds what the image holds, without a container engine, and runs it as the image would be run.

``python -m k8s.image.check``: carries out the stage ``build`` of the Dockerfile in an empty folder
(its COPY lines through .dockerignore, its RUN lines, which are all ``k8s/image/install.sh``), then
starts processes in it as user 10001, with a read-only root, all capabilities dropped and nothing of
the checkout in sight. Everything is imported; each process says which settings it lacks; wallet_svc
migrates a real PostgreSQL, serves over mTLS and stops when told.

What it cannot show: the base image itself. Its libraries are this machine's here, so that what our
packages load of them is compared with what the base image has.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import psycopg

from chassis.tls import TlsFiles
from embedded import databases, provision
from embedded.certificates import IDENTITIES, ensure_certificates, tls_files
from embedded.errors import NotReady
from embedded.health import RPC_SERVICES, check_grpc
from embedded.ports import LOOPBACK, find_free_port
from embedded.postgres import running_postgres
from k8s.image.dockerfile import Context, Stage, read_stages
from k8s.image.sandbox import Sandbox

CHECKOUT = Path(__file__).resolve().parents[2]
PROCESSES = ("wallet_svc", "payment_svc", "ledger_svc", "barcode_svc", "gateway")
MIGRATING = PROCESSES[:-1]
SERVES_WITHIN_SECONDS = 30.0


class Failed(Exception):
    """The image would not do; says what is missing."""


def main() -> None:
    """Check, or tell what is wrong and exit with 1."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--keep", type=Path, help="build here (an empty folder) and leave it there")
    options = parser.parse_args()
    try:
        with _folder(options.keep) as folder:
            root = folder / "root"
            build(CHECKOUT, folder / "source", root)
            sandbox = Sandbox(root, environment=image_environment(CHECKOUT))
            check_imports(sandbox)
            check_settings(sandbox)
            asyncio.run(check_serving(sandbox, folder))
    except Failed as error:
        print(f"image-check: {error}", file=sys.stderr)
        sys.exit(1)


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="qrpay-image-") as folder:
        # Its user must be able to walk through it.
        Path(folder).chmod(0o755)
        yield Path(folder)


def build(checkout: Path, source: Path, root: Path) -> None:
    """Do what the stage `build` does: `source` is its working folder, `root` its /."""
    stages = {stage.name: stage for stage in read_stages((checkout / "Dockerfile").read_text())}
    context = Context((checkout / ".dockerignore").read_text())
    source.mkdir()
    (root / "opt").mkdir(parents=True)
    for instruction in stages["build"].instructions:
        if instruction.word == "COPY":
            *parts, target = instruction.arguments
            for part in parts:
                _copy(context, checkout, part, source / target)
        elif instruction.word == "RUN":
            _install(instruction.arguments, source, root)
    for folder in ("opt/qrpay", "app"):
        files = (path for path in (root / folder).rglob("*") if path.is_file())
        size = sum(path.stat().st_size for path in files if not path.is_symlink())
        print(f"/{folder}: {size / 1e6:.0f} MB")


def _copy(context: Context, checkout: Path, part: str, target: Path) -> None:
    files = context.files(checkout, part)
    if not files:
        raise Failed(f"COPY {part}: .dockerignore lets none of it into the build")
    for path in files:
        # As COPY does: a folder's content goes into the target, a file beside others too.
        beside = (checkout / part).is_file()
        name = path.name if beside else str(path.relative_to(PurePosixPath(part)))
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(checkout / path, target / name)


def _install(words: list[str], source: Path, root: Path) -> None:
    if words[:2] != ["sh", "k8s/image/install.sh"]:
        raise Failed(f"RUN {shlex.join(words)}: the stage `build` runs nothing but install.sh")
    started = time.monotonic()
    placed = [str(root / word.lstrip("/")) if word.startswith("/") else word for word in words]
    done = subprocess.run(  # noqa: S603 - our own script
        placed, cwd=source, env={**os.environ, "PYTHON": sys.executable}, check=False
    )
    if done.returncode:
        raise Failed(f"{shlex.join(words)} exited with {done.returncode}")
    print(f"{shlex.join(words[1:])}: {time.monotonic() - started:.0f} s")


def image_environment(checkout: Path) -> dict[str, str]:
    """The variables of the image."""
    stages: list[Stage] = read_stages((checkout / "Dockerfile").read_text())
    return next(stage for stage in stages if stage.name == "image").environment()


def check_imports(sandbox: Sandbox) -> None:
    """Import everything, write nothing, be nobody."""
    script = Path(__file__).with_name("inside.py").read_bytes()
    path = sandbox.give(Path("/run/check/inside.py"), script)
    _expect(sandbox, ["python", str(path)], code=0, shown=True)


def check_settings(sandbox: Sandbox) -> None:
    """Each process starts so far that it says which settings it lacks; so do its migrations."""
    for name in PROCESSES:
        _expect(sandbox, ["python", "-m", name], code=2, text="setting: TLS_CERT_FILE is not set")
    for name in MIGRATING:
        command = ["python", "-m", name, "migrate", "--phase", "pre"]
        _expect(sandbox, command, code=2, text="setting: MIGRATION_DATABASE_URL is not set")
    print(f"{', '.join(PROCESSES)}: each says what it lacks and exits with 2")


async def check_serving(sandbox: Sandbox, folder: Path) -> None:
    """wallet_svc, from its migrations to SIGTERM, against a real PostgreSQL."""
    postgres, certificates = folder / "postgres", folder / "certificates"
    postgres.mkdir()
    certificates.mkdir()
    ensure_certificates(certificates, now=datetime.now(UTC), identities=IDENTITIES)
    passwords = databases.ServicePasswords(
        owner=secrets.token_urlsafe(), service=secrets.token_urlsafe()
    )
    async with running_postgres(postgres, durable=False) as server:
        async with await psycopg.AsyncConnection.connect(
            server.admin_url, autocommit=True
        ) as connection:
            await provision.provision_roles(connection, service="wallet", passwords=passwords)
            await provision.provision_database(connection, service="wallet", database="wallet")
        for role, password in (
            (databases.owner_role("wallet"), passwords.owner),
            (databases.service_role("wallet"), passwords.service),
        ):
            url = databases.url_for(
                server.admin_url, user=role, password=password, database="wallet"
            )
            sandbox.give(Path("/run/qrpay", role), url.encode())
        _migrate(sandbox, CHECKOUT / "wallet_svc" / "migrations")
        await _serve(sandbox, certificates)


def _migrate(sandbox: Sandbox, migrations: Path) -> None:
    environment = {"MIGRATION_DATABASE_URL_FILE": f"/run/qrpay/{databases.owner_role('wallet')}"}
    applied = 0
    for phase in ("pre", "post"):
        command = ["python", "-m", "wallet_svc", "migrate", "--phase", phase]
        applied += _expect(sandbox, command, code=0, environment=environment).count("applied ")
    if applied != len(list(migrations.glob("*.sql"))):
        raise Failed(
            f"only {applied} migrations of wallet_svc were applied: the others are not there"
        )
    print(f"wallet_svc migrate: {applied} migrations applied")


async def _serve(sandbox: Sandbox, certificates: Path) -> None:
    own, port = tls_files(certificates, "wallet"), find_free_port()
    environment = {
        "DATABASE_URL_FILE": f"/run/qrpay/{databases.service_role('wallet')}",
        "GRPC_LISTEN": f"{LOOPBACK}:{port}",
    }
    for variable, file in (
        ("TLS_CERT_FILE", own.cert_file),
        ("TLS_KEY_FILE", own.key_file),
        ("TLS_CA_FILE", own.ca_file),
    ):
        path = sandbox.give(Path("/run/qrpay", file.name), file.read_bytes())
        environment[variable] = str(path)
    process = sandbox.start(["python", "-m", "wallet_svc"], environment=environment)
    try:
        await _until_serving(port, tls_files(certificates, "operator"), process)
    finally:
        # unshare hands no signal on: the process itself is its only child.
        output = await asyncio.to_thread(_stop, process)
    if process.returncode:
        raise Failed(f"wallet_svc exited with {process.returncode} after SIGTERM:\n{output}")
    print("wallet_svc: served over mTLS, and ended with 0 when told")


async def _until_serving(port: int, tls: TlsFiles, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + SERVES_WITHIN_SECONDS
    while True:
        try:
            await check_grpc(port=port, identity="wallet", service=RPC_SERVICES["wallet"], tls=tls)
        except (NotReady, OSError) as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise Failed(f"wallet_svc does not serve: {error}\n{_stop(process)}") from error
            await asyncio.sleep(0.1)
        else:
            return


def _stop(process: subprocess.Popen[str]) -> str:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if process.poll() is None and children.exists():
        for child in children.read_text().split():
            with suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGTERM)
    try:
        output, _ = process.communicate(timeout=SERVES_WITHIN_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
    return output or ""


def _expect(
    sandbox: Sandbox,
    command: list[str],
    *,
    code: int,
    text: str = "",
    environment: dict[str, str] | None = None,
    shown: bool = False,
) -> str:
    found, output = sandbox.run(command, environment=environment)
    if found != code or text not in output:
        wanted = f"{code} and {text!r}" if text else str(code)
        raise Failed(f"{shlex.join(command)} exited with {found}, not {wanted}:\n{output}")
    if shown:
        print(output, end="")
    return output


if __name__ == "__main__":
    main()
