"""Settings from the environment: typed, strict, read once, all faults told at once.

A settings class is a frozen ``msgspec.Struct``; its field ``database_url`` is read from the
variable ``DATABASE_URL``, or from the file that ``DATABASE_URL_FILE`` names -- which is how secrets
come, so that they stay out of the environment. Limits are ordinary fields with a default and a
unit in their name.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from chassis.tls import RELOAD_SECONDS, TlsFiles

SettingsType = TypeVar("SettingsType", bound=msgspec.Struct)

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
PositiveInt = Annotated[int, msgspec.Meta(ge=1)]
Track = Literal["stable", "canary"]
PositiveSeconds = Annotated[float, msgspec.Meta(gt=0)]


class SettingsError(Exception):
    """The settings do not add up; ``faults`` has one sentence for each."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("\n".join(faults))


class Secret:
    """A text that must not be shown: its repr hides it, ``reveal`` gives it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself; hand it straight to whatever needs it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(...)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


class ProcessSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What every process of the mesh needs."""

    log_level: str = "INFO"
    """DEBUG, INFO, WARNING or ERROR."""
    grpc_listen: str = "127.0.0.1:0"
    """Address and port of the gRPC server."""
    tls_cert_file: Path
    """This process's certificate, PEM. Its name is its identity in the mesh."""
    tls_key_file: Path
    """The certificate's private key, PEM."""
    tls_ca_file: Path
    """The certificates of the authority that signs every identity of the mesh, PEM."""
    tls_reload_seconds: PositiveSeconds = RELOAD_SECONDS
    """How often it is looked whether the three files changed; new connections use what is there."""
    admin_listen: Annotated[str, msgspec.Meta(pattern=r"^$|^.+:[0-9]{1,5}$")] = "127.0.0.1:0"
    """Address and port of the admin port (metrics, liveness), which asks nobody who they are; port
    0 takes a free one. Empty: there is none."""
    probe_listen: Annotated[str, msgspec.Meta(pattern=r"^$|^.+:[0-9]{1,5}$")] = ""
    """Address and port of the probe port: gRPC health in plain text, for kubelet, which speaks no
    TLS; port 0 takes a free one. Empty: there is none."""
    readings_every_seconds: PositiveSeconds = 15.0
    """How often metrics are read that take a question to a database or to the queue."""
    track: Track = "stable"
    """Whether this process is one of everybody's or of the next version's, which runs beside it for
    a few. Told with every trace and metric."""
    otel_exporter_otlp_endpoint: str = ""
    """Where traces and metrics go, over OTLP/gRPC; empty: no spans are made."""
    otel_traces_sampler_arg: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.01
    """Share of the requests without a sampling decision of their own that are traced."""
    trace_slow_seconds: PositiveSeconds = 2.0
    """A payment or a request that took so long is traced afterwards, also if it was not sampled, as
    are those that failed."""
    drain_seconds: PositiveSeconds = 10.0
    """How long a stopping process may finish what it has begun."""
    drain_delay_seconds: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    """How long a stopping process still takes calls after it said that it is not serving, so that
    load balancers can look away first."""
    rpcs_concurrent_max: PositiveInt = 512
    """Calls that are served at a time; more are refused as overload. Health is always answered."""

    @property
    def tls(self) -> TlsFiles:
        """The three files of this process's identity."""
        return TlsFiles(
            cert_file=self.tls_cert_file, key_file=self.tls_key_file, ca_file=self.tls_ca_file
        )


def load_settings(
    settings_type: type[SettingsType], environment: Mapping[str, str] = os.environ
) -> SettingsType:
    """Read a settings object from the environment.

    Raises ``SettingsError`` with every fault there is: missing, not of the type, out of range, a
    ``_FILE`` that cannot be read, a variable given both ways.
    """
    values: dict[str, Any] = {}
    faults: list[str] = []
    for field in msgspec.structs.fields(settings_type):
        variable = field.name.upper()
        try:
            text = _lookup(variable, environment)
            if text is not None:
                values[field.name] = _convert(text, field.type)
            elif field.required:
                faults.append(f"{variable} is not set ({variable}_FILE may name a file instead)")
        except (ValueError, OSError) as error:
            faults.append(f"{variable}: {error}")
    if faults:
        raise SettingsError(faults)
    try:
        return settings_type(**values)
    except ValueError as error:  # what a class checks about its fields together
        raise SettingsError([str(error)]) from error


def _lookup(variable: str, environment: Mapping[str, str]) -> str | None:
    text, file_name = environment.get(variable), environment.get(f"{variable}_FILE")
    if text is not None and file_name is not None:
        raise ValueError(f"set either {variable} or {variable}_FILE, not both")
    if file_name is not None:
        return Path(file_name).read_text().strip()
    return text


def _convert(text: str, wanted: Any) -> Any:
    # A secret is never handed to msgspec, whose errors quote what they were given.
    if wanted is Secret:
        if not text:
            raise ValueError("is empty")
        return Secret(text)
    if wanted is Path:
        if not Path(text).is_file():
            raise ValueError(f"there is no file {text}")
        return Path(text)
    if getattr(wanted, "__origin__", None) is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return msgspec.convert(text, wanted, strict=False)
