"""What a stack's Prometheus is told."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import yaml

from embedded.child import Command
from embedded.errors import StackError
from embedded.layout import Layout
from embedded.prometheus import find_prometheus, prometheus_program
from embedded.supervisor import Program
from k8s.observability.generate import PLAIN_RULES


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A data directory."""
    layout = Layout(tmp_path / "data")
    layout.create()
    return layout


def process(name: str, layout: Layout, *, admin: str | None) -> Program:
    """A process of the stack."""

    async def check() -> None:
        pytest.fail("nobody asks it")

    command = Command(
        name=name, arguments=("/bin/true",), log_file=layout.log_file(name), directory=layout.root
    )
    return Program(command=command, kind="process", check=check, port=7001, admin=admin)


def test_it_reads_every_admin_port(layout: Layout) -> None:
    """Goal: a job for each process under the name that alerts look for; a process without an admin
    port is left out."""
    programs = [
        process("wallet", layout, admin="127.0.0.1:8001"),
        process("ledger", layout, admin=None),
        process("gateway", layout, admin="127.0.0.1:8002"),
    ]
    prometheus_program(Path("/bin/prometheus"), layout=layout, port=9, programs=programs)
    settings = yaml.safe_load((layout.prometheus / "prometheus.yml").read_text("utf-8"))
    assert {item["job_name"]: item["static_configs"] for item in settings["scrape_configs"]} == {
        "qrpay-wallet": [{"targets": ["127.0.0.1:8001"]}],
        "qrpay-gateway": [{"targets": ["127.0.0.1:8002"]}],
    }


def test_it_has_the_alerts(layout: Layout) -> None:
    """Goal: the rules that come with the package are beside its configuration, and loaded."""
    prometheus_program(Path("/bin/prometheus"), layout=layout, port=9, programs=[])
    settings = yaml.safe_load((layout.prometheus / "prometheus.yml").read_text("utf-8"))
    (rules,) = settings["rule_files"]
    assert (layout.prometheus / rules).read_text("utf-8") == PLAIN_RULES.read_text("utf-8")


def test_it_is_for_this_user_and_this_machine(layout: Layout) -> None:
    """Goal: it listens on loopback, keeps a bounded past below the data directory, and nobody else
    reads what it has."""
    program = prometheus_program(Path("/bin/prometheus"), layout=layout, port=9, programs=[])
    arguments = dict(item.partition("=")[::2] for item in program.command.arguments[1:])
    assert arguments["--web.listen-address"] == "127.0.0.1:9"
    assert program.url == "http://127.0.0.1:9"
    assert Path(arguments["--storage.tsdb.path"]).is_relative_to(layout.root)
    assert arguments["--storage.tsdb.retention.size"]
    assert arguments["--storage.tsdb.retention.time"]
    assert stat.S_IMODE(layout.prometheus.stat().st_mode) == 0o700


def test_without_the_program_there_is_a_sentence(tmp_path: Path) -> None:
    """Goal: who has no Prometheus learns how to get one, and one on the PATH is found."""
    environment = {"PATH": str(tmp_path)}
    with pytest.raises(StackError, match="apt-get install prometheus"):
        find_prometheus(environment)
    program = tmp_path / "prometheus"
    program.touch(mode=0o700)
    assert find_prometheus(environment) == program
