"""The servers that every other integration test stands on: they start, they let nobody else in."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import psycopg
import pytest
import redis.asyncio as redis

from embedded.errors import NotReady
from embedded.nats import NatsServer, check_nats, nats_url
from embedded.postgres import PostgresServer, check_postgres, running_postgres
from embedded.privileges import Privilege, methods, unprivileged_account
from embedded.provision import check_sign_in
from embedded.valkey import ValkeyServer, check_valkey

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")


async def test_postgres_wants_the_password(postgres_server: PostgresServer) -> None:
    """Goal: loopback alone opens nothing."""
    await check_postgres(postgres_server.admin_url)
    await check_sign_in(postgres_server.admin_url)
    with pytest.raises(NotReady, match="password authentication failed"):
        await check_sign_in(
            f"postgresql://postgres:wrong@127.0.0.1:{postgres_server.port}/postgres"
        )


async def test_a_server_that_refuses_is_not_ready(postgres_server: PostgresServer) -> None:
    """Goal: an answer is not enough; an error of the server is told in its words."""
    with pytest.raises(NotReady, match="no PostgreSQL user name specified"):
        await check_postgres(f"postgresql://127.0.0.1:{postgres_server.port}/postgres")


async def test_data_survives_a_crash(tmp_path: Path) -> None:
    """Goal: with durable settings, what was committed is there after SIGKILL and a new start."""
    async with running_postgres(tmp_path) as server:
        async with await psycopg.AsyncConnection.connect(server.admin_url) as connection:
            await connection.execute("CREATE TABLE kept (number int)")
            await connection.execute("INSERT INTO kept VALUES (42)")
        await server.process.kill()
        assert server.process.pid is None
        await server.process.start()
        async with await psycopg.AsyncConnection.connect(server.admin_url) as connection:
            cursor = await connection.execute(
                "SELECT number, current_setting('fsync'), current_setting('data_checksums')"
                " FROM kept"
            )
            assert await cursor.fetchall() == [(42, "on", "on")]


@as_root
@pytest.mark.parametrize("method", methods())
async def test_root_can_start_postgres_behind_a_closed_directory(
    tmp_path: Path, method: str
) -> None:
    """Goal: each way of giving up root works below a directory that only root may enter."""
    uid, gid = unprivileged_account()
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    privilege = Privilege(method=method, uid=uid, gid=gid)  # type: ignore[arg-type]
    async with running_postgres(closed, durable=False, privilege=privilege) as server:
        await check_postgres(server.admin_url)
        assert psutil.Process(server.process.pid).uids().effective == privilege.file_owner


@as_root
async def test_a_cluster_changes_hands_with_the_method(tmp_path: Path) -> None:
    """Goal: data written in one way is readable when the next start has to use the other."""
    uid, gid = unprivileged_account()
    for method in (*methods(), *methods()):
        privilege = Privilege(method=method, uid=uid, gid=gid)
        async with running_postgres(tmp_path, durable=False, privilege=privilege) as server:
            await check_postgres(server.admin_url)
        assert (tmp_path / "postgres" / "PG_VERSION").stat().st_uid == privilege.file_owner


async def test_nats_lets_in_its_users_only(nats_server: NatsServer) -> None:
    """Goal: no anonymous connection, and a service's user may do what the service does."""
    await check_nats(nats_server.url)
    await check_nats(nats_server.url_for("payment"))
    with pytest.raises(NotReady):
        await check_nats(nats_url(user="payment", password="wrong", port=nats_server.port))
    with pytest.raises(NotReady):
        await check_nats(f"nats://127.0.0.1:{nats_server.port}")


async def test_valkey_lets_in_its_users_only(valkey_server: ValkeyServer) -> None:
    """Goal: the default user is off, and barcode_svc reaches its own keys and no dangerous
    command."""
    await check_valkey(valkey_server.url)
    with pytest.raises(NotReady):
        await check_valkey(f"redis://127.0.0.1:{valkey_server.port}")
    async with redis.from_url(valkey_server.barcode_url) as client:
        await client.set("barcode:1", "x", ex=60)
        assert await client.eval("return redis.call('GET', KEYS[1])", 1, "barcode:1") == b"x"
        for forbidden in (("GET", "other"), ("FLUSHALL",), ("CONFIG", "GET", "*")):
            with pytest.raises(redis.ResponseError, match=r"(?i)no permissions"):
                await client.execute_command(*forbidden)  # type: ignore[no-untyped-call]


@as_root
async def test_root_can_start_postgres_in_somebody_elses_closed_directory(tmp_path: Path) -> None:
    """Goal: the choice between the ways looks at where the data is: root in an ordinary user's home
    cannot use a namespace, which has no power over that user's files."""
    uid, _ = unprivileged_account()
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    os.chown(closed, uid + 1, -1)
    async with running_postgres(closed, durable=False) as server:
        await check_postgres(server.admin_url)
