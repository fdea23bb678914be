"""Every Secret that the overlay `local` refers to, for `kubectl apply -f -`.

python -m k8s.local_secrets [--data .qrpay-k8s] | kubectl apply -f -

Made on first use and remembered in the data directory, so saying it again changes nothing. For one
machine only: a cluster has its secrets from cert-manager and a store (docs/kubernetes.md).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from embedded.certificates import IDENTITIES, ensure_certificates
from embedded.databases import SERVICES, owner_role, service_passwords, service_role
from embedded.layout import Layout, certificate_files
from embedded.nats import ADMINISTRATOR, PERMISSIONS, service_users, user_entry
from embedded.passwords import remembered_key, remembered_password
from embedded.tokens import ensure_issuer, jwks_file
from embedded.valkey import RULES

NAMESPACE = "qrpay"

_VALKEY_CONFIGURATION = """\
port 6379
dir /data
aclfile /etc/valkey/users.acl
databases 1
save ""
appendonly yes
appendfsync everysec
maxmemory 64mb
maxmemory-policy noeviction
"""


def make_secrets(layout: Layout, *, now: datetime) -> dict[str, dict[str, str]]:
    """Content of every Secret, by its name and then its key. Makes what is missing in `layout`."""
    layout.create()
    ensure_certificates(layout.certificates, now=now)
    ensure_issuer(layout.tokens)
    return {**_identities(layout), **_databases(layout), **_engines(layout), **_processes(layout)}


def _identities(layout: Layout) -> dict[str, dict[str, str]]:
    found = {}
    for identity in IDENTITIES:
        files = certificate_files(layout.certificates, identity)
        names = ("tls.crt", "tls.key", "ca.crt")
        found[f"{identity}-tls"] = {
            name: file.read_text() for name, file in zip(names, files, strict=True)
        }
    return found


def _databases(layout: Layout) -> dict[str, dict[str, str]]:
    found = {}
    for service, pair in service_passwords(layout).items():
        owner, role = owner_role(service), service_role(service)
        # Passwords of ours have no character that a quoted string would mind.
        found[f"{service}-db"] = {
            "password": _password(layout, f"postgres-{service}-administrator"),
            "roles.sql": (
                f"CREATE ROLE {owner} LOGIN PASSWORD '{pair.owner}';\n"
                f"CREATE ROLE {role} LOGIN PASSWORD '{pair.service}';\n"
                f"CREATE DATABASE {service} OWNER {owner};\n"
                f"REVOKE ALL ON DATABASE {service} FROM PUBLIC;\n"
                f"GRANT CONNECT ON DATABASE {service} TO {role};\n"
            ),
        }
        found[f"{service}-owner"] = {"database-url": _database_url(service, owner, pair.owner)}
    return found


def _engines(layout: Layout) -> dict[str, dict[str, str]]:
    settings = {
        "server_name": "qrpay",
        "listen": "0.0.0.0:4222",
        "max_payload": 1024 * 1024,
        "jetstream": {"store_dir": "/data", "sync_interval": "always"},
        "authorization": {"users": [user_entry(user) for user in service_users(_nats(layout))]},
    }
    acl = ["user default reset off"]
    for user, rules in RULES.items():
        digest = hashlib.sha256(_password(layout, f"valkey-{user}").encode()).hexdigest()
        acl.append(f"user {user} reset on #{digest} {rules}")
    return {
        "nats": {"nats.conf": json.dumps(settings, indent=2) + "\n"},
        "valkey": {"valkey.conf": _VALKEY_CONFIGURATION, "users.acl": "\n".join(acl) + "\n"},
    }


def _processes(layout: Layout) -> dict[str, dict[str, str]]:
    passwords = service_passwords(layout)
    found = {
        f"{service}-secrets": {
            "database-url": _database_url(
                service, service_role(service), passwords[service].service
            )
        }
        for service in SERVICES
    }
    for user in PERMISSIONS:
        url = f"nats://{user}:{_nats(layout)[user]}@nats:4222"
        found.setdefault(f"{user}-secrets", {})["nats-url"] = url
    found["gateway-secrets"]["jwks.json"] = jwks_file(layout.tokens).read_text()
    found["ledger-secrets"]["journal-signing-key"] = remembered_key(
        layout.secret_file("journal-signing.key")
    )
    found["barcode-secrets"] |= {
        "valkey-url": f"redis://barcode:{_password(layout, 'valkey-barcode')}@valkey:6379/0",
        "code-hmac-key": remembered_password(layout.secret_file("code-hmac.key")),
        "qr-signing-key": remembered_key(layout.secret_file("qr-signing.key")),
        "offline-key": remembered_password(layout.secret_file("offline.key")),
    }
    return found


def _nats(layout: Layout) -> dict[str, str]:
    return {user: _password(layout, f"nats-{user}") for user in (ADMINISTRATOR, *PERMISSIONS)}


def _password(layout: Layout, name: str) -> str:
    return remembered_password(layout.secret_file(f"{name}.password"))


def _database_url(service: str, role: str, password: str) -> str:
    return f"postgresql://{role}:{password}@{service}-db-rw:5432/{service}"


def as_list(secrets: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """The secrets as one object that kubectl takes."""
    return {
        "apiVersion": "v1",
        "kind": "List",
        "items": [
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "type": "kubernetes.io/tls" if "tls.key" in content else "Opaque",
                "metadata": {"name": name, "namespace": NAMESPACE},
                "stringData": dict(content),
            }
            for name, content in secrets.items()
        ],
    }


def main() -> None:
    """Write the list to standard output."""
    parser = argparse.ArgumentParser(description="Secrets of the overlay `local`, as JSON.")
    parser.add_argument("--data", type=Path, default=Path(".qrpay-k8s"))
    arguments = parser.parse_args()
    if sys.stdout.isatty():
        parser.error("secrets are not for the screen: pipe them to kubectl apply -f -")
    json.dump(as_list(make_secrets(Layout(arguments.data), now=datetime.now(UTC))), sys.stdout)


if __name__ == "__main__":
    main()
