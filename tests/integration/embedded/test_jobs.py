"""Jobs: processes that do one thing and end."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from embedded.databases import SERVICES, service_passwords, url_for
from embedded.errors import StartFailed
from embedded.jobs import run_job
from embedded.layout import Layout
from embedded.passwords import write_private
from embedded.postgres import running_postgres
from embedded.provision import check_sign_in

PREPARE = "embedded.prepare"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A data directory."""
    layout = Layout(tmp_path / "data")
    layout.create()
    return layout


async def test_preparing_can_be_repeated(layout: Layout, tmp_path: Path) -> None:
    """Goal: after the first start every service can sign in to a database with its tables; the
    second start finds nothing to do."""
    async with running_postgres(tmp_path, durable=False) as server:
        write_private(layout.secret_file("postgres-admin.url"), server.admin_url)
        first = msgspec.json.decode(await run_job(layout, PREPARE), type=dict[str, int])
        assert set(first) == set(SERVICES)
        assert all(count > 0 for count in first.values())
        second = msgspec.json.decode(await run_job(layout, PREPARE), type=dict[str, int])
        assert second == dict.fromkeys(SERVICES, 0)
        for service, passwords in service_passwords(layout).items():
            await check_sign_in(
                url_for(
                    server.admin_url,
                    user=f"{service}_svc",
                    password=passwords.service,
                    database=service,
                )
            )
    assert (layout.certificates / "operator.pem").exists()
    assert (layout.tokens / "jwks.json").exists()


async def test_a_job_that_cannot_be_done_says_why(layout: Layout) -> None:
    """Goal: what a user can mend is told in a sentence, without the job's traceback."""
    write_private(layout.secret_file("postgres-admin.url"), "postgresql://nobody@127.0.0.1:1/x")
    with pytest.raises(StartFailed, match=r"^PostgreSQL could not be provisioned: .*refused"):
        await run_job(layout, PREPARE)


async def test_a_job_that_breaks_shows_its_log(layout: Layout) -> None:
    """Goal: what nobody foresaw is told with the end of the log, and where the rest is."""
    with pytest.raises(StartFailed, match=r"prepare ended with status 1; .*\n(.*\n)*FileNotFound"):
        await run_job(layout, PREPARE)
