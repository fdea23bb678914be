"""What ledger_svc can be told, with the limits it keeps."""

from __future__ import annotations

from chassis.settings import PositiveInt, PositiveSeconds, ProcessSettings, Secret
from chassis.signing import read_key

ROLES = ("api", "posting", "reconciler")


class LedgerSettings(ProcessSettings, frozen=True, kw_only=True):
    """Settings of a ledger process."""

    database_url: Secret
    """PostgreSQL, as the service's own role."""
    nats_url: Secret
    """NATS with JetStream, as the service's own user."""
    nats_replicas: PositiveInt = 1
    """Copies of the stream of signed heads; 3 in a cluster."""
    journal_signing_key: Secret
    """Ed25519 private key (RFC 8037, d: 43 characters of base64url) that signs the book's heads."""
    journal_accepted_keys: tuple[str, ...] = ()
    """Public keys of earlier signing keys (RFC 8037, x), separated by commas."""
    sign_every_seconds: PositiveSeconds = 10.0
    """How often the book is signed: a payment's receipt is there at most so much later."""
    ledger_roles: tuple[str, ...] = ROLES
    """Which of api, posting, reconciler this process carries, separated by commas."""
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
    bank_window_days: PositiveInt = 5
    """How many days a bank's booking may be from the payment that it is."""
    results_per_transaction_max: PositiveInt = 256
    """Results that are booked in one database transaction."""
    messages_buffered_max: PositiveInt = 32
    """Messages that wait in this process, each with 1 to 256 results."""
    reconcile_every_seconds: PositiveSeconds = 30.0
    """How often the books are compared."""
    reconcile_settle_seconds: PositiveSeconds = 60.0
    """What happened since then may not have reached every book, and is not compared yet. Clocks of
    processes may differ by less than this without a case being opened."""
    reconcile_stuck_seconds: PositiveSeconds = 300.0
    """A payment that has not ended after so long is told."""
    reconcile_history_seconds: PositiveSeconds = 3600.0
    """In such a time everything there ever was is compared again."""
    reconcile_second_look_seconds: PositiveSeconds = 3.0
    """What differs is looked at again after so long, and told if it still does."""
    reconcile_heals: bool = True
    """Whether differences are repaired, and wallets frozen, without being asked."""
    reconcile_call_seconds_max: PositiveSeconds = 9.0
    """How long it waits for an answer: adding up takes longer than looking up."""

    def __post_init__(self) -> None:
        unknown = set(self.ledger_roles) - set(ROLES)
        if unknown or not self.ledger_roles:
            raise ValueError(f"LEDGER_ROLES must name some of {', '.join(ROLES)}")
        for name, key in (
            ("JOURNAL_SIGNING_KEY", self.journal_signing_key.reveal()),
            *(("JOURNAL_ACCEPTED_KEYS", key) for key in self.journal_accepted_keys),
        ):
            try:
                read_key(key)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
