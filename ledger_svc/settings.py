"""What ledger_svc can be told, with the limits it keeps."""

from __future__ import annotations

from chassis.settings import PositiveInt, PositiveSeconds, ProcessSettings, Secret


class LedgerSettings(ProcessSettings, frozen=True, kw_only=True):
    """Settings of a ledger process."""

    database_url: Secret
    """PostgreSQL, as the service's own role."""
    nats_url: Secret
    """NATS with JetStream, as the service's own user."""
    database_connections_max: PositiveInt = 6
    """One posts, the others read."""
    payment_target: str
    """gRPC target of payment: asked which payments were completed."""
    wallet_target: str
    """gRPC target of wallet: asked for the transfers of those that the queue lost."""
    catch_up_every_seconds: PositiveSeconds = 5.0
    """How often it is asked."""
    call_seconds_max: PositiveSeconds = 5.0
    """How long it waits for an answer."""
    results_per_transaction_max: PositiveInt = 256
    """Results that are booked in one database transaction."""
    messages_buffered_max: PositiveInt = 32
    """Messages that wait in this process, each with 1 to 256 results."""
