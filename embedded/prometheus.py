"""A Prometheus that watches the local stack: the machine's own program, our targets and alerts."""

from __future__ import annotations

import importlib.resources
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from embedded.child import Command
from embedded.errors import StackError
from embedded.health import check_http
from embedded.layout import Layout
from embedded.passwords import write_private
from embedded.ports import LOOPBACK
from embedded.supervisor import Program

JOB_PREFIX = "qrpay-"
"""Of the job of every process; the alerts look for it (k8s/observability/rules.yaml)."""

_READ_EVERY = "5s"
_EVALUATE_EVERY = "15s"
_KEPT_DAYS = 30
"""As long as the promises' budgets last."""
_KEPT_SIZE_MAX = "1GB"
_RULES = "alerts.yml"


def find_prometheus(environment: Mapping[str, str]) -> Path:
    """The program on the user's PATH. Raises StackError with how to get one."""
    found = shutil.which("prometheus", path=environment.get("PATH"))
    if found is None:
        raise StackError(
            "--observe needs prometheus, which is not installed: apt-get install prometheus "
            "(and systemctl disable --now prometheus, qrpay starts its own), "
            "or put the program on the PATH; without --observe everything else works"
        )
    return Path(found)


def prometheus_program(
    binary: Path, *, layout: Layout, port: int, programs: Sequence[Program]
) -> Program:
    """Write its configuration and rules into the data directory and say how to start it.

    It reads the admin port of each of `programs` that has one.
    """
    directory = layout.prometheus
    directory.mkdir(mode=0o700, exist_ok=True)
    rules = importlib.resources.files("embedded").joinpath(_RULES).read_text(encoding="utf-8")
    write_private(directory / _RULES, rules)
    configuration = directory / "prometheus.yml"
    write_private(configuration, _configuration(programs))
    command = Command(
        name="prometheus",
        arguments=(
            str(binary),
            f"--config.file={configuration}",
            f"--storage.tsdb.path={directory / 'data'}",
            f"--storage.tsdb.retention.time={_KEPT_DAYS}d",
            f"--storage.tsdb.retention.size={_KEPT_SIZE_MAX}",
            f"--web.listen-address={LOOPBACK}:{port}",
            "--log.level=warn",
        ),
        log_file=layout.log_file("prometheus"),
        directory=directory,
    )
    url = f"http://{LOOPBACK}:{port}"
    return Program(
        command=command,
        kind="server",
        check=lambda: check_prometheus(url),
        port=port,
        url=url,
    )


async def check_prometheus(url: str) -> None:
    """Ask whether it has read what it knows and answers queries. Raises NotReady, OSError."""
    await check_http(port=urlsplit(url).port or 0, path="/-/ready")


def _configuration(programs: Sequence[Program]) -> str:
    """JSON, which is YAML."""
    settings = {
        "global": {"scrape_interval": _READ_EVERY, "evaluation_interval": _EVALUATE_EVERY},
        "rule_files": [_RULES],
        "scrape_configs": [
            {
                "job_name": f"{JOB_PREFIX}{program.name}",
                "static_configs": [{"targets": [program.admin]}],
            }
            for program in programs
            if program.admin
        ],
    }
    return msgspec.json.format(msgspec.json.encode(settings)).decode() + "\n"
