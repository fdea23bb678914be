"""The five processes of qrpay: how each is started, what it is told, how its health is asked."""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping

from embedded.child import Command
from embedded.layout import Layout, certificate_files
from embedded.passwords import remembered_key, remembered_password, write_private
from embedded.ports import LOOPBACK, check_listening
from embedded.servers import Servers
from embedded.supervisor import Program
from embedded.tokens import AUDIENCE, ISSUER, jwks_file

MODULES = {
    "wallet": "wallet_svc",
    "barcode": "barcode_svc",
    "ledger": "ledger_svc",
    "payment": "payment_svc",
    "gateway": "gateway",
}
"""What `python -m` runs, by process."""

_DRAIN_SECONDS = 5
_PASSED_ON = ("LOG_LEVEL", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_TRACES_SAMPLER_ARG")


def admin_port_name(process: str) -> str:
    """Under which name a process's admin port is among the ports of a stack."""
    return f"{process}-admin"


def make_programs(
    *,
    layout: Layout,
    ports: Mapping[str, int],
    servers: Servers,
    environment: Mapping[str, str],
) -> list[Program]:
    """All five, ready to be started in any order: each waits for those it needs. `ports` has two
    for each process: its own, and its admin port.

    `environment` is the user's: `QRPAY_<PROCESS>_<SETTING>` sets one setting of one process, for
    example QRPAY_GATEWAY_LOG_REQUESTS=true.
    """
    settings = _settings(layout, ports, servers)
    common = {name: environment[name] for name in _PASSED_ON if name in environment}
    programs = []
    for name, module in MODULES.items():
        chosen = {**common, **_tls(layout, name), **settings[name], **_overrides(name, environment)}
        admin = chosen["ADMIN_LISTEN"] or None
        command = Command(
            name=name,
            # -P: the working directory is no place to import from.
            arguments=(sys.executable, "-P", "-m", module),
            log_file=layout.log_file(name),
            directory=layout.root,
            environment=chosen,
            # Draining, then the transactions that are still under way: 8 s at most.
            stop_seconds=_DRAIN_SECONDS + 10.0,
        )
        # Whether they can do their work takes gRPC and is asked once, by whoever started us.
        check = functools.partial(check_listening, ports[name])
        programs.append(
            Program(command=command, kind="process", check=check, port=ports[name], admin=admin)
        )
    return programs


def _settings(
    layout: Layout, ports: Mapping[str, int], servers: Servers
) -> dict[str, dict[str, str]]:
    """What each process is told besides its certificate; secrets as the names of files."""
    secret = functools.partial(_secret, layout)

    def listen(name: str) -> dict[str, str]:
        return {"GRPC_LISTEN": f"{LOOPBACK}:{ports[name]}", **common(name)}

    def common(name: str) -> dict[str, str]:
        admin = f"{LOOPBACK}:{ports[admin_port_name(name)]}"
        return {"ADMIN_LISTEN": admin, "DRAIN_SECONDS": str(_DRAIN_SECONDS)}

    def database(name: str) -> dict[str, str]:
        return secret("DATABASE_URL", f"{name}.database-url", servers.database_urls[name])

    def queue(name: str) -> dict[str, str]:
        return secret("NATS_URL", f"{name}.nats-url", servers.nats_urls[name])

    def targets(*names: str) -> dict[str, str]:
        return {f"{name.upper()}_TARGET": f"{LOOPBACK}:{ports[name]}" for name in names}

    code_key = remembered_password(layout.secret_file("code-hmac.key"))
    signing_key = remembered_key(layout.secret_file("qr-signing.key"))
    journal_key = remembered_key(layout.secret_file("journal-signing.key"))
    offline_key = remembered_password(layout.secret_file("offline.key"))
    return {
        "wallet": {**listen("wallet"), **database("wallet")},
        "barcode": {
            **listen("barcode"),
            **database("barcode"),
            **secret("VALKEY_URL", "barcode.valkey-url", servers.valkey_url),
            **secret("CODE_HMAC_KEY", "code-hmac.key", code_key),
            "LOGO_FOLDER": str(layout.logos),
            **secret("QR_SIGNING_KEY", "qr-signing.key", signing_key),
            **secret("OFFLINE_KEY", "offline.key", offline_key),
        },
        "ledger": {
            **listen("ledger"),
            **database("ledger"),
            **queue("ledger"),
            **secret("JOURNAL_SIGNING_KEY", "journal-signing.key", journal_key),
            **targets("payment", "wallet"),
        },
        "payment": {
            **listen("payment"),
            **database("payment"),
            **queue("payment"),
            **targets("wallet", "barcode"),
        },
        "gateway": {
            "HTTP_LISTEN": f"{LOOPBACK}:{ports['gateway']}",
            **common("gateway"),
            **queue("gateway"),
            **targets("wallet", "payment", "barcode", "ledger"),
            "JWKS_FILE": str(jwks_file(layout.tokens)),
            "TOKEN_ISSUER": ISSUER,
            "TOKEN_AUDIENCE": AUDIENCE,
        },
    }


def _secret(layout: Layout, variable: str, file: str, value: str) -> dict[str, str]:
    write_private(layout.secret_file(file), value + "\n")
    return {f"{variable}_FILE": str(layout.secret_file(file))}


def _tls(layout: Layout, name: str) -> dict[str, str]:
    certificate, key, authority = certificate_files(layout.certificates, name)
    return {
        "TLS_CERT_FILE": str(certificate),
        "TLS_KEY_FILE": str(key),
        "TLS_CA_FILE": str(authority),
    }


def _overrides(name: str, environment: Mapping[str, str]) -> dict[str, str]:
    prefix = f"QRPAY_{name.upper()}_"
    return {
        variable.removeprefix(prefix): value
        for variable, value in environment.items()
        if variable.startswith(prefix)
    }
