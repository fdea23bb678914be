"""What payment_svc can be told, with the limits it keeps."""

from __future__ import annotations

from typing import Annotated

import msgspec

from chassis.money import AMOUNT_MINOR_MAX
from chassis.settings import PositiveInt, PositiveSeconds, ProcessSettings, Secret

ROLES = ("api", "executor", "results", "sweeper")


class PaymentSettings(ProcessSettings, frozen=True, kw_only=True):
    """Settings of a payment process."""

    database_url: Secret
    """PostgreSQL, as the service's own role."""
    nats_url: Secret
    """NATS with JetStream, as the service's own user."""
    nats_replicas: PositiveInt = 1
    """Copies of each stream; 3 in a cluster."""
    wallet_target: str
    """gRPC target of wallet."""
    barcode_target: str
    """gRPC target of barcode."""
    payment_roles: tuple[str, ...] = ROLES
    """Which of api, executor, results, sweeper this process carries, separated by commas."""
    database_connections_max: PositiveInt = 8
    accept_connections_max: PositiveInt = 4
    """Connections that accept payments: each holds one batch at a time."""
    key_lock_seconds_max: PositiveSeconds = 0.25
    """How long accepting waits for another that holds the same key. One takes a few milliseconds;
    finding the one item of a full batch that waits takes eight halvings, all within 5 s."""
    amount_minor_max: PositiveInt = AMOUNT_MINOR_MAX // 1000
    """The largest amount of one payment, minor units."""
    call_seconds_max: PositiveSeconds = 3.0
    """How long accepting waits for another service. Answers are due within 5 s."""
    execute_seconds_max: PositiveSeconds = 9.0
    """How long the executor waits for one batch of transfers."""
    executor_batches_max: PositiveInt = 2
    """Batches of transfers in flight: while one commits, the other is being prepared."""
    party_cache_seconds: PositiveSeconds = 10.0
    """How long a name and a wallet id may be remembered. A closed wallet is found at the latest
    when the transfer executes, so this delays an error message and nothing else."""
    party_cache_entries_max: PositiveInt = 20_000
    sweep_after_seconds: PositiveSeconds = 10.0
    """How long a payment may be PENDING before it is put into the queue again."""
    sweep_every_seconds: PositiveSeconds = 1.0
    tries_max: PositiveInt = 5
    """How often a transfer is tried that fails for a reason of its own, before people must look."""
    retry_first_seconds: PositiveSeconds = 4.0
    """How long it rests after the first try; with the factor below, five tries take 160 s."""
    retry_factor: Annotated[float, msgspec.Meta(ge=1)] = 3.0
    """Each rest is so many times as long as the one before."""
    execute_deadline_seconds: PositiveSeconds = 24 * 3600.0
    """A payment that is still PENDING after this needs a person, whatever keeps it."""
    publishes_in_flight_max: PositiveInt = 64
    """Batches of new payments on their way to the queue; past this, the sweeper has to bring them.
    """

    def __post_init__(self) -> None:
        unknown = set(self.payment_roles) - set(ROLES)
        if unknown or not self.payment_roles:
            raise ValueError(f"PAYMENT_ROLES must name some of {', '.join(ROLES)}")
