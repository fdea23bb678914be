"""What barcode_svc can be told, with the limits it keeps."""

from __future__ import annotations

import re
from pathlib import Path

from barcode_svc.barcodes import BarcodeLimits, MissBudget
from barcode_svc.device_keys import DeviceKeys
from barcode_svc.offline_model import OfflineLimits
from barcode_svc.qr_signer import KEYS_MAX
from chassis.settings import (
    PositiveInt,
    PositiveSeconds,
    ProcessSettings,
    Secret,
    SettingsError,
)
from chassis.signing import read_key
from chassis.tls import TlsFiles

CODE_HMAC_KEY_LENGTH_MIN = 32
_DAY_SECONDS = 86_400
_NO_SECRET = Secret("")
_AMOUNT_FORM = re.compile(r"[A-Z]{3}:[0-9]{1,15}")


class BarcodeSettings(ProcessSettings, frozen=True, kw_only=True):
    """Settings of a barcode process."""

    database_url: Secret
    """PostgreSQL, as the service's own role."""
    database_connections_max: PositiveInt = 8
    valkey_url: Secret
    """Valkey (or Redis): one primary, as the service's own user. ``rediss://``: with TLS."""
    valkey_ca_file: str = ""
    """The authority that such a server must be of, PEM; empty: that of the mesh."""
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
    code_grace_seconds: PositiveInt = 5
    """How long a code still pays after its device got a new one: it may be under the scanner."""
    devices_per_owner_max: PositiveInt = 8
    """Devices of one customer that may have a live code, and that may make codes offline."""
    misses_per_minute_max: PositiveInt = 10
    """Unknown codes that one merchant may scan in a minute. Ten are a broken scanner or somebody
    who guesses: nothing more is read there for a while."""
    miss_lock_seconds: PositiveInt = 60
    """How long at first; twice as long each further time."""
    miss_lock_seconds_max: PositiveInt = 3600
    """How long at most."""
    miss_quiet_seconds: PositiveInt = 4 * 3600
    """After so long without a lock the next one is as short as the first."""
    device_misses_per_day_max: PositiveInt = 20
    """Wrong offline codes that name one device, at all merchants together, before its offline codes
    are refused for a day. Somebody guesses; the customer goes online."""
    offline_key: Secret
    """Seals the secrets of devices that make codes offline, and hides which device a code is of: at
    least 32 characters, the same for all processes."""
    offline_key_previous: Secret = _NO_SECRET
    """The one before it: devices go on with it until they are online the next time."""
    offline_enrolment_seconds: PositiveInt = 7 * _DAY_SECONDS
    """How long a device makes codes without having been online."""
    offline_code_max: tuple[str, ...] = ("EUR:5000", "GBP:5000", "JPY:7500", "USD:5000")
    """What one offline code pays at most, by currency in its minor unit. In a currency that is not
    named here none pays anything."""
    offline_day_max: tuple[str, ...] = ("EUR:15000", "GBP:15000", "JPY:22500", "USD:15000")
    """What a person's offline codes pay at most in a day (UTC), likewise."""
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
        if self.miss_lock_seconds > self.miss_lock_seconds_max:
            faults.append("MISS_LOCK_SECONDS: is higher than MISS_LOCK_SECONDS_MAX")
        faults += [
            f"{name.upper()}: has fewer than {CODE_HMAC_KEY_LENGTH_MIN} characters"
            for name in ("offline_key", "offline_key_previous")
            if (key := getattr(self, name)) != _NO_SECRET
            and len(key.reveal()) < CODE_HMAC_KEY_LENGTH_MIN
        ]
        faults += [
            f"{name.upper()}: must be like EUR:5000,USD:5000"
            for name in ("offline_code_max", "offline_day_max")
            if not all(map(_AMOUNT_FORM.fullmatch, getattr(self, name)))
        ]
        if faults:
            raise SettingsError(faults)

    @property
    def offline_limits(self) -> OfflineLimits:
        """The limits of offline codes among these settings."""
        return OfflineLimits(
            code_minor_max=_amounts(self.offline_code_max),
            day_minor_max=_amounts(self.offline_day_max),
        )

    @property
    def device_keys(self) -> DeviceKeys:
        """What follows from the keys for offline codes."""
        previous = self.offline_key_previous
        return DeviceKeys(self.offline_key, [previous] if previous != _NO_SECRET else [])

    @property
    def valkey_tls(self) -> TlsFiles:
        """The files of a connection to Valkey with TLS."""
        ca_file = Path(self.valkey_ca_file) if self.valkey_ca_file else self.tls_ca_file
        return self.tls._replace(ca_file=ca_file)

    @property
    def limits(self) -> BarcodeLimits:
        """The limits of barcodes among these settings."""
        return BarcodeLimits(
            ttl_seconds=self.code_ttl_seconds,
            expired_keep_seconds=self.code_expired_keep_seconds,
            used_keep_seconds=self.code_used_keep_seconds,
            grace_seconds=self.code_grace_seconds,
            devices_per_owner_max=self.devices_per_owner_max,
            merchant_misses=MissBudget(
                misses_max=self.misses_per_minute_max,
                window_seconds=60,
                lock_seconds=self.miss_lock_seconds,
                lock_seconds_max=self.miss_lock_seconds_max,
                quiet_seconds=self.miss_quiet_seconds,
            ),
            device_misses=MissBudget(
                misses_max=self.device_misses_per_day_max,
                window_seconds=_DAY_SECONDS,
                lock_seconds=_DAY_SECONDS,
                lock_seconds_max=_DAY_SECONDS,
                quiet_seconds=_DAY_SECONDS,
            ),
        )


def _amounts(texts: tuple[str, ...]) -> dict[str, int]:
    return {currency: int(minor) for currency, minor in (text.split(":") for text in texts)}
