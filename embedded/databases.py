"""Names and URLs of the services' databases and roles.

A service has two roles: `<service>_owner` owns the database and runs migrations, `<service>_svc` is
what the process signs in as, and may only do what the migrations grant it.
"""

from __future__ import annotations

from urllib.parse import quote, urlsplit, urlunsplit

import msgspec

from embedded.layout import Layout
from embedded.passwords import remembered_password

SERVICES = ("wallet", "payment", "ledger", "barcode")
"""The services that own a database; it has the service's name."""


class ServicePasswords(msgspec.Struct, frozen=True, kw_only=True):
    """The passwords of a service's two roles."""

    owner: str
    service: str


def service_passwords(layout: Layout) -> dict[str, ServicePasswords]:
    """The passwords of every service's roles; made on first use."""

    def password(role: str) -> str:
        return remembered_password(layout.secret_file(f"postgres-{role}.password"))

    return {
        service: ServicePasswords(
            owner=password(owner_role(service)), service=password(service_role(service))
        )
        for service in SERVICES
    }


def owner_role(service: str) -> str:
    """The role that owns the tables of a service."""
    return f"{service}_owner"


def service_role(service: str) -> str:
    """The role that the process of a service signs in as."""
    return f"{service}_svc"


def url_for(admin_url: str, *, user: str, password: str, database: str) -> str:
    """The URL of another user and database on the server of `admin_url`; its query (TLS) stays."""
    parts = urlsplit(admin_url)
    address = parts.netloc.rpartition("@")[2]
    netloc = f"{quote(user, safe='')}:{quote(password, safe='')}@{address}"
    return urlunsplit((parts.scheme, netloc, f"/{quote(database, safe='')}", parts.query, ""))
