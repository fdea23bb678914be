"""What each process is told."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from embedded.layout import Layout
from embedded.processes import MODULES, admin_port_name, make_programs
from embedded.servers import Servers
from embedded.supervisor import Program

PORTS = {name: 7000 + number for number, name in enumerate(MODULES)} | {
    admin_port_name(name): 8000 + number for number, name in enumerate(MODULES)
}
SERVERS = Servers(
    database_urls={name: f"postgresql://{name}:secret@db/{name}" for name in MODULES},
    nats_urls={name: f"nats://{name}:secret@queue" for name in MODULES},
    valkey_url="redis://barcode:secret@cache/0",
)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A data directory."""
    layout = Layout(tmp_path / "data")
    layout.create()
    return layout


def make(layout: Layout, **environment: str) -> dict[str, Program]:
    """The programs, by name."""
    programs = make_programs(layout=layout, ports=PORTS, servers=SERVERS, environment=environment)
    return {program.name: program for program in programs}


def test_every_process_is_a_module_of_its_own(layout: Layout) -> None:
    """Goal: each is started as `python -m ...` with the interpreter that runs us."""
    programs = make(layout)
    assert {
        name: (program.command.arguments, program.port) for name, program in programs.items()
    } == {name: ((sys.executable, "-P", "-m", MODULES[name]), PORTS[name]) for name in MODULES}


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("wallet", {"DATABASE_URL_FILE"}),
        (
            "barcode",
            {
                "DATABASE_URL_FILE",
                "VALKEY_URL_FILE",
                "CODE_HMAC_KEY_FILE",
                "QR_SIGNING_KEY_FILE",
                "LOGO_FOLDER",
                "OFFLINE_KEY_FILE",
            },
        ),
        (
            "ledger",
            {
                "DATABASE_URL_FILE",
                "NATS_URL_FILE",
                "JOURNAL_SIGNING_KEY_FILE",
                "PAYMENT_TARGET",
                "WALLET_TARGET",
            },
        ),
        ("payment", {"DATABASE_URL_FILE", "NATS_URL_FILE", "WALLET_TARGET", "BARCODE_TARGET"}),
        (
            "gateway",
            {
                "NATS_URL_FILE",
                "WALLET_TARGET",
                "LEDGER_TARGET",
                "PAYMENT_TARGET",
                "BARCODE_TARGET",
                "JWKS_FILE",
                "TOKEN_ISSUER",
                "TOKEN_AUDIENCE",
            },
        ),
    ],
)
def test_a_process_is_told_what_it_needs_and_no_more(
    layout: Layout, name: str, wanted: set[str]
) -> None:
    """Goal: nobody gets another one's database, queue or key."""
    listen = "HTTP_LISTEN" if name == "gateway" else "GRPC_LISTEN"
    common = {
        listen,
        "ADMIN_LISTEN",
        "DRAIN_SECONDS",
        "TLS_CERT_FILE",
        "TLS_KEY_FILE",
        "TLS_CA_FILE",
    }
    environment = make(layout)[name].command.environment
    assert set(environment) == common | wanted
    assert environment[listen] == f"127.0.0.1:{PORTS[name]}"
    assert environment["TLS_CERT_FILE"].endswith(f"/{name}.pem")


def test_secrets_are_in_files_only(layout: Layout) -> None:
    """Goal: no password is in an environment or on a command line; the files are private."""
    for program in make(layout).values():
        shown = [*program.command.environment.values(), *program.command.arguments]
        assert not [text for text in shown if "secret" in Path(text).name]
    file = layout.secret_file("payment.database-url")
    assert file.read_text(encoding="utf-8").strip() == SERVERS.database_urls["payment"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in layout.secrets.iterdir()} == {0o600}


def test_codes_stay_valid_over_restarts(layout: Layout) -> None:
    """Goal: the keys that hash barcodes and seal devices' secrets are made once."""
    files = [layout.secret_file(name) for name in ("code-hmac.key", "offline.key")]
    make(layout)
    before = [file.read_bytes() for file in files]
    make(layout)
    assert [file.read_bytes() for file in files] == before
    assert before[0] != before[1]


def test_a_setting_reaches_the_process_it_names(layout: Layout) -> None:
    """Goal: a user can set one setting of one process, and the log level of all."""
    programs = make(layout, QRPAY_GATEWAY_LOG_REQUESTS="true", LOG_LEVEL="DEBUG", HOME="/nowhere")
    assert programs["gateway"].command.environment["LOG_REQUESTS"] == "true"
    assert "LOG_REQUESTS" not in programs["payment"].command.environment
    levels = {program.command.environment["LOG_LEVEL"] for program in programs.values()}
    assert levels == {"DEBUG"}
    assert "HOME" not in programs["gateway"].command.environment


def test_every_process_has_an_admin_port_of_its_own(layout: Layout) -> None:
    """Goal: each tells its metrics on loopback; who sets another address, or none, is followed."""
    programs = make(
        layout, QRPAY_WALLET_ADMIN_LISTEN="127.0.0.1:9464", QRPAY_LEDGER_ADMIN_LISTEN=""
    )
    assert {name: program.admin for name, program in programs.items()} == {
        **{name: f"127.0.0.1:{PORTS[admin_port_name(name)]}" for name in MODULES},
        "wallet": "127.0.0.1:9464",
        "ledger": None,
    }
