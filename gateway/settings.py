"""What the gateway reads from its environment, with every limit and its unit."""

from __future__ import annotations

from typing import Annotated

import msgspec

from chassis.settings import PositiveInt, PositiveSeconds, ProcessSettings, Secret, SettingsError

UpToTen = Annotated[int, msgspec.Meta(ge=1, le=10)]
PerSecond = Annotated[float, msgspec.Meta(gt=0)]


class GatewaySettings(ProcessSettings, frozen=True, kw_only=True):
    """Settings of one gateway process."""

    http_listen: str = "127.0.0.1:8080"
    """Address and port of the HTTP server; port 0 takes a free one."""
    wallet_target: str
    """gRPC target of wallet_svc."""
    payment_target: str
    """gRPC target of payment_svc (role api)."""
    barcode_target: str
    """gRPC target of barcode_svc."""
    ledger_target: str
    """gRPC target of ledger_svc; only receipts need it."""
    nats_url: Secret
    """NATS URL(s) with the gateway's user, separated by commas."""
    canary_payment_target: str = ""
    """gRPC target of the payment_svc for payments of pilot merchants; empty: there is none."""
    qrpay_read_only: bool = False
    """Serve what reads and nothing that changes: for a second address, with the identity
    ``gateway-reader``."""

    jwks_file: str = ""
    """A JSON Web Key Set (RFC 7517) in a file; read again from time to time."""
    jwks_url: str = ""
    """Or where to fetch one: https, or http on a loopback address."""
    token_issuer: str
    """The ``iss`` that a token must carry."""
    token_audience: str
    """The ``aud`` that a token must carry."""
    jwks_refresh_seconds: PositiveSeconds = 300.0
    """How often the keys are read again."""
    jwks_refresh_seconds_min: PositiveSeconds = 10.0
    """An unknown key id makes us read them at once, but not more often than this."""
    token_leeway_seconds: Annotated[float, msgspec.Meta(ge=0, le=120)] = 5.0
    """How far the issuer's clock may be off ours."""
    token_cache_seconds_max: PositiveSeconds = 300.0
    """For how long the verification of a token is remembered, at most."""
    token_cache_size: PositiveInt = 20_000
    """How many verified tokens are remembered, at least."""

    upstream_seconds: Annotated[float, msgspec.Meta(gt=0, le=4.0)] = 4.0
    """Deadline of what we ask of other services for one request. Below 5: the promised answer."""
    wait_seconds_max: Annotated[int, msgspec.Meta(ge=1, le=30)] = 30
    """The longest ``Prefer: wait`` and ``?wait=``."""
    waiters_max: PositiveInt = 20_000
    """Requests that may wait for a result at a time; one more is answered 202 at once."""
    recent_payments_max: PositiveInt = 8_192
    """Payments done lately that are remembered, for a waiter that comes after its event."""

    intake_payments_max: PositiveInt = 1_024
    """Payments between their head and payment_svc's answer; one more is refused as overload before
    anything is done for it. As many as all submit calls take: more would only wait."""
    submit_batch_max: Annotated[int, msgspec.Meta(ge=1, le=256)] = 256
    """Payments in one SubmitPayments call."""
    submit_concurrency: UpToTen = 2
    """SubmitPayments calls in flight at a time, of each kind."""
    submit_patience_seconds: PositiveSeconds = 0.2
    """How long a batch may take before the next one starts beside it: one at a time gives larger
    batches and less work for each payment; a batch that hangs must not hold up the others."""
    submit_queue_max: PositiveInt = 4_096
    """Payments that wait for their batch; one more is refused as overload."""
    submit_wait_seconds_max: PositiveSeconds = 0.5
    """While a payment has waited longer than this for its batch, further ones are refused as
    overload: an answer now, to be asked again, is better than one that comes when nobody waits."""

    body_bytes_max: PositiveInt = 65_536
    """The largest request body, logos aside."""
    uploads_max: PositiveInt = 8
    """Logos that are taken in at a time, 2 MiB of memory each, twice while they are passed on; one
    more is refused as overload."""
    body_seconds: PositiveSeconds = 10.0
    """How long a client may take to send a request's head, and then its body."""
    head_bytes_max: PositiveInt = 32_768
    """The largest request head (request line and headers)."""
    connections_max: PositiveInt = 20_000
    """Open connections; one more is answered 503 and closed."""
    keep_alive_seconds: PositiveInt = 75
    """How long an idle connection stays open; longer than the load balancer's own limit."""

    caller_requests_per_second: PerSecond = 100.0
    """What one caller may send in the long run."""
    caller_requests_burst: PositiveInt = 200
    """What one caller may send at once."""
    address_requests_per_second: PerSecond = 200.0
    """What one client address may send without a token (merchants' QR codes, documentation)."""
    address_requests_burst: PositiveInt = 400
    """What one client address may send at once without a token."""
    callers_max: PositiveInt = 100_000
    """Callers whose rate is remembered, at least."""

    statements_max: PositiveInt = 8
    """Statements that are made at a time; one of each caller."""
    statement_seconds: PositiveSeconds = 300.0
    """How long a statement may take until the client has all of it."""
    statement_csv_entries_max: PositiveInt = 1_000_000
    """Entries of a statement as CSV: about 150 bytes each."""
    statement_pdf_entries_max: PositiveInt = 10_000
    """Entries of a statement as PDF: 400 pages, some seconds of CPU."""
    statement_pdf_seconds_max: PositiveSeconds = 60.0
    """A PDF that takes longer to draw is given up."""

    streams_max: PositiveInt = 10_000
    """Open event streams of this process."""
    streams_per_caller_max: PositiveInt = 8
    """Open event streams of one caller."""
    stream_queue_max: PositiveInt = 256
    """Events that wait for one slow stream; more, and it reads them from payment_svc instead."""
    stream_send_seconds: PositiveSeconds = 20.0
    """A stream whose client takes nothing for this long is cut off."""
    heartbeat_seconds: PositiveSeconds = 15.0
    """A silent stream says this often that it is alive; lost events are looked for as often."""

    log_requests: bool = False
    """Log every request; otherwise neither money moves nor probes that are fast and no 5xx."""
    slow_request_seconds: PositiveSeconds = 1.0
    """A request that took longer is always logged; waiting for a result does not count."""
    cors_allow_origins: tuple[str, ...] = ()
    """Origins whose browsers may call; empty: CORS is off."""
    trusted_proxies: str = ""
    """Addresses whose X-Forwarded-For is believed, separated by commas; empty: nobody's."""

    def check(self) -> None:
        """Raise ``SettingsError`` for faults that only show when fields are looked at together."""
        faults = []
        if bool(self.jwks_file) == bool(self.jwks_url):
            faults.append("set one of JWKS_FILE and JWKS_URL")
        if ":" not in self.http_listen or not self.http_listen.rpartition(":")[2].isdigit():
            faults.append("HTTP_LISTEN: write address:port")
        if faults:
            raise SettingsError(faults)
