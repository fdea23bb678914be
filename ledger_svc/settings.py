"""What ledger_svc can be told, with the limits it keeps."""

from __future__ import annotations

from chassis.settings import PositiveInt, ProcessSettings, Secret


class LedgerSettings(ProcessSettings, frozen=True, kw_only=True):
    """Settings of a ledger process."""

    database_url: Secret
    """PostgreSQL, as the service's own role."""
    nats_url: Secret
    """NATS with JetStream, as the service's own user."""
    database_connections_max: PositiveInt = 6
    """One posts, the others read."""
    results_per_transaction_max: PositiveInt = 256
    """Results that are booked in one database transaction."""
    messages_buffered_max: PositiveInt = 32
    """Messages that wait in this process, each with 1 to 256 results."""
