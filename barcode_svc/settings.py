"""What barcode_svc can be told, with the limits it keeps."""

from __future__ import annotations

from barcode_svc.barcodes import BarcodeLimits
from barcode_svc.qr_signer import KEYS_MAX, read_key
from chassis.settings import (
    PositiveInt,
    PositiveSeconds,
    ProcessSettings,
    Secret,
    SettingsError,
)

CODE_HMAC_KEY_LENGTH_MIN = 32


class BarcodeSettings(ProcessSettings, frozen=True, kw_only=True):
    """Settings of a barcode process."""

    database_url: Secret
    """PostgreSQL, as the service's own role."""
    database_connections_max: PositiveInt = 8
    valkey_url: Secret
    """Valkey (or Redis): one primary, as the service's own user."""
    valkey_connections_max: PositiveInt = 16
    valkey_seconds_max: PositiveSeconds = 1.0
    """How long one command may take, waiting for a connection included."""
    code_hmac_key: Secret
    """Disguises codes in Valkey: at least 32 characters, the same for all processes. A new key ends
    all live codes."""
    code_ttl_seconds: PositiveInt = 60
    """How long a customer's code is taken."""
    code_expired_keep_seconds: PositiveInt = 300
    """How long afterwards it is told to be expired, before it is unknown."""
    code_used_keep_seconds: PositiveInt = 3600
    """How long a used code is remembered, for those who ask again. Each takes about 400 bytes."""
    misses_per_minute_max: PositiveInt = 30
    """Unknown codes that one merchant may scan in a minute. Thirty are a broken scanner or somebody
    who guesses; neither may scan on before the minute is over."""
    pool_low: PositiveInt = 500
    """Fewer inert codes than this: the process refills its pool."""
    pool_high: PositiveInt = 2_000
    """How many there are afterwards."""
    pool_look_seconds: PositiveSeconds = 5.0
    """How often the level is looked at when nobody asks for codes."""
    qr_signing_key: Secret
    """Signs merchants' codes: an Ed25519 private key, 43 characters of base64url (RFC 8037, d). The
    same for all processes."""
    qr_keys_accepted: tuple[str, ...] = ()
    """Public keys of earlier signing keys (RFC 8037, x), at most 15: what they signed is still
    taken."""
    qr_unsigned_accepted: bool = False
    """Whether codes that were printed before codes were signed are taken. Anybody can make one."""
    qr_lifetime_seconds: PositiveInt = 900
    """How long a code for one payment is taken, if whoever asks for it does not say."""
    qr_lifetime_seconds_max: PositiveInt = 86_400
    """The longest that may be asked for."""
    qrs_remembered_max: PositiveInt = 1024
    """Codes whose signature was found right, in memory, at most 3 KB each."""
    drawings_remembered_max: PositiveInt = 256
    """Images of merchants' static codes in memory, at most 8 KB each."""
    posters_remembered_max: PositiveInt = 64
    """Posters in memory: about 35 KB each, and up to a megabyte with a photograph as logo."""
    posters_waiting_max: PositiveInt = 32
    """Posters that are drawn or wait for it; one more is refused as overload. One is drawn at a
    time, for about a tenth of a second."""

    places_per_merchant_max: PositiveInt = 10_000
    """Stores, and as many terminals, that one merchant may have, closed ones included."""

    logo_folder: str = "/var/lib/qrpay/logos"
    """Where logos are kept, if no bucket is set. All barcode processes must see the same one."""
    logo_s3_bucket: str = ""
    """A bucket of S3, or of a server that speaks its protocol, to keep logos in instead."""
    logo_s3_endpoint: str = ""
    """Its address, for example https://minio.example:9000; empty: Amazon's."""
    logo_s3_region: str = "us-east-1"
    """The region that requests are signed for."""
    logo_s3_key_id: Secret = Secret("")
    """Access key: may read and write objects below logos/."""
    logo_s3_key_secret: Secret = Secret("")
    """And its secret."""
    logo_store_seconds_max: PositiveSeconds = 2.0
    """How long a bucket may take for one object."""
    logo_processes_max: PositiveInt = 1
    """Processes that decode and draw logos, 1 GiB of address space each; started with the first
    logo."""
    logo_waiting_max: PositiveInt = 32
    """Logos that are drawn or wait for it; one more is refused as overload. Uploads among them take
    up to 2 MiB of memory each."""
    logo_draw_seconds_max: PositiveSeconds = 3.0
    """How long one may take; then the process that draws it is ended."""
    logos_remembered_bytes_max: PositiveInt = 16 * 1024 * 1024
    """Drawn logos in memory."""

    def __post_init__(self) -> None:
        faults = []
        if len(self.code_hmac_key.reveal()) < CODE_HMAC_KEY_LENGTH_MIN:
            faults.append(f"CODE_HMAC_KEY: has fewer than {CODE_HMAC_KEY_LENGTH_MIN} characters")
        if self.pool_low > self.pool_high:
            faults.append("POOL_LOW: is higher than POOL_HIGH")
        if self.logo_s3_bucket:
            keys = {
                "LOGO_S3_KEY_ID": self.logo_s3_key_id,
                "LOGO_S3_KEY_SECRET": self.logo_s3_key_secret,
            }
            faults += [
                f"{name}: is needed with LOGO_S3_BUCKET"
                for name, secret in keys.items()
                if not secret.reveal()
            ]
        try:
            read_key(self.qr_signing_key.reveal())
        except ValueError as error:
            faults.append(f"QR_SIGNING_KEY: {error}")
        for key in self.qr_keys_accepted:
            try:
                read_key(key)
            except ValueError as error:
                faults.append(f"QR_KEYS_ACCEPTED: {error}")
        if len(self.qr_keys_accepted) >= KEYS_MAX:
            faults.append(f"QR_KEYS_ACCEPTED: has more than {KEYS_MAX - 1} keys")
        if self.qr_lifetime_seconds > self.qr_lifetime_seconds_max:
            faults.append("QR_LIFETIME_SECONDS: is more than QR_LIFETIME_SECONDS_MAX")
        if faults:
            raise SettingsError(faults)

    @property
    def limits(self) -> BarcodeLimits:
        """The limits of barcodes among these settings."""
        return BarcodeLimits(
            ttl_seconds=self.code_ttl_seconds,
            expired_keep_seconds=self.code_expired_keep_seconds,
            used_keep_seconds=self.code_used_keep_seconds,
            misses_per_window_max=self.misses_per_minute_max,
            window_seconds=60,
        )
