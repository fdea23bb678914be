"""The job before the processes start: certificates, token keys, roles, databases, tables."""

from __future__ import annotations

import asyncio

import msgspec

from chassis.clock import SystemClock
from chassis.migrate import MigrationError, migrate
from embedded.certificates import ensure_certificates
from embedded.databases import SERVICES, owner_role, service_passwords, url_for
from embedded.errors import StackError
from embedded.jobs import job_main
from embedded.layout import Layout
from embedded.provision import migrations_directory, provision
from embedded.tokens import ensure_issuer


def prepare(layout: Layout) -> bytes:
    """Do all of it. Answers how many migrations each service's database was missing, as JSON."""
    ensure_certificates(layout.certificates, now=SystemClock().now())
    ensure_issuer(layout.tokens)
    applied = asyncio.run(_prepare_databases(layout))
    return msgspec.json.encode(applied)


async def _prepare_databases(layout: Layout) -> dict[str, int]:
    admin_url = layout.secret_file("postgres-admin.url").read_text(encoding="utf-8").strip()
    passwords = service_passwords(layout)
    await provision(admin_url, passwords=passwords)
    counts = await asyncio.gather(
        *(
            _migrate(
                service,
                url_for(
                    admin_url,
                    user=owner_role(service),
                    password=passwords[service].owner,
                    database=service,
                ),
            )
            for service in SERVICES
        )
    )
    return dict(zip(SERVICES, counts, strict=True))


async def _migrate(service: str, owner_url: str) -> int:
    try:
        return len(await migrate(owner_url, migrations_directory(service)))
    except MigrationError as error:
        raise StackError(f"the database of {service} cannot be migrated: {error}") from error


if __name__ == "__main__":
    job_main(prepare)
