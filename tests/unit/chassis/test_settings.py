"""Settings: read strictly, every fault told at once, and no secret in any of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from chassis.settings import (
    Port,
    PositiveInt,
    PositiveSeconds,
    ProcessSettings,
    Secret,
    SettingsError,
    load_settings,
)


class Settings(ProcessSettings, frozen=True, kw_only=True):
    """Settings of a process that does not exist."""

    database_url: Secret
    port: Port = 1
    batch_size_max: PositiveInt = 256
    wait_seconds: PositiveSeconds = 0.5
    verbose: bool = False
    roles: tuple[str, ...] = ("api",)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The least that the process needs."""
    names = ("TLS_CERT_FILE", "TLS_KEY_FILE", "TLS_CA_FILE")
    for name in names:
        (tmp_path / name).write_text("PEM")
    return {name: str(tmp_path / name) for name in names} | {"DATABASE_URL": "postgresql://x"}


def faults(environment: dict[str, str]) -> list[str]:
    """What is wrong with these settings."""
    with pytest.raises(SettingsError) as caught:
        load_settings(Settings, environment)
    assert str(caught.value) == "\n".join(caught.value.faults)
    return caught.value.faults


def test_the_least_is_enough(environment: dict[str, str], tmp_path: Path) -> None:
    """Everything else has a default; variables that mean nothing to us are left alone."""
    settings = load_settings(Settings, environment | {"PATH": "/bin", "PORTS": "x"})
    assert settings.database_url.reveal() == "postgresql://x"
    assert settings.tls.key_file == tmp_path / "TLS_KEY_FILE"
    assert (settings.port, settings.roles, settings.log_level) == (1, ("api",), "INFO")


def test_values_are_converted(environment: dict[str, str]) -> None:
    """Numbers, booleans and lists from text."""
    settings = load_settings(
        Settings,
        environment
        | {"PORT": "7001", "WAIT_SECONDS": "2", "VERBOSE": "true", "ROLES": "api, sweeper,"},
    )
    assert settings.port == 7001
    assert settings.wait_seconds == 2.0
    assert settings.verbose is True
    assert settings.roles == ("api", "sweeper")


def test_a_value_may_come_from_a_file(environment: dict[str, str], tmp_path: Path) -> None:
    """A file's end of line is not part of the secret."""
    (tmp_path / "url").write_text("postgresql://from-a-file\n")
    del environment["DATABASE_URL"]
    settings = load_settings(Settings, environment | {"DATABASE_URL_FILE": str(tmp_path / "url")})
    assert settings.database_url == Secret("postgresql://from-a-file")


def test_all_faults_are_told_at_once(environment: dict[str, str], tmp_path: Path) -> None:
    """Missing, out of range, not a number, a file that is not there: one sentence each, with the
    variable's name."""
    environment["TLS_CA_FILE"] = str(tmp_path / "nothing")
    del environment["DATABASE_URL"]
    told = faults(
        environment
        | {"PORT": "65536", "BATCH_SIZE_MAX": "0", "WAIT_SECONDS": "soon", "DRAIN_SECONDS": "-1"}
    )
    variables = [fault.replace(":", " ").split(" ")[0] for fault in told]
    assert sorted(variables) == [
        "BATCH_SIZE_MAX",
        "DATABASE_URL",
        "DRAIN_SECONDS",
        "PORT",
        "TLS_CA_FILE",
        "WAIT_SECONDS",
    ]


def test_a_value_given_both_ways_is_a_fault(environment: dict[str, str], tmp_path: Path) -> None:
    """Nobody has to know which one would win."""
    (tmp_path / "url").write_text("postgresql://y")
    (fault,) = faults(environment | {"DATABASE_URL_FILE": str(tmp_path / "url")})
    assert "not both" in fault


def test_a_secret_file_that_cannot_be_read_is_a_fault(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """It is told with the variable, not with a traceback."""
    del environment["DATABASE_URL"]
    (fault,) = faults(environment | {"DATABASE_URL_FILE": str(tmp_path / "nothing")})
    assert fault.startswith("DATABASE_URL: ")


def test_an_empty_secret_is_a_fault(environment: dict[str, str]) -> None:
    """A secret that was forgotten must not be taken for one."""
    (fault,) = faults(environment | {"DATABASE_URL": ""})
    assert fault == "DATABASE_URL: is empty"


def test_a_secret_hides(environment: dict[str, str]) -> None:
    """Neither its own text nor its settings show it; as a key it works."""
    settings = load_settings(Settings, environment | {"DATABASE_URL": "postgresql://hunter2"})
    assert "hunter2" not in f"{settings!r} {settings.database_url} {settings.database_url!r}"
    assert settings.database_url == Secret("postgresql://hunter2") != Secret("other")
    assert hash(settings.database_url) == hash(Secret("postgresql://hunter2"))


def test_a_fault_shows_no_secret(environment: dict[str, str]) -> None:
    """What is told about a wrong setting goes to the log."""
    told = faults(environment | {"DATABASE_URL": "hunter2", "DATABASE_URL_FILE": "also-hunter2"})
    assert "hunter2" not in " ".join(told)
