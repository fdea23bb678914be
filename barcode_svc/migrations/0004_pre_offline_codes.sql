-- Devices that may make codes offline, what their codes were used for, and how much that was in a day.

-- A row is never removed: its handle would name another device to whoever remembers it.
CREATE TABLE devices (
    id text COLLATE "C" NOT NULL,
    owner_id text COLLATE "C" NOT NULL,
    name text NOT NULL,
    handle bigint NOT NULL,
    key_id text COLLATE "C" NOT NULL,
    sealed_secret bytea NOT NULL,
    create_time timestamptz NOT NULL,
    expire_time timestamptz NOT NULL,
    revoke_time timestamptz,
    CONSTRAINT pk_devices PRIMARY KEY (id),
    CONSTRAINT uq_devices_handle UNIQUE (handle),
    CONSTRAINT ck_devices_handle CHECK (handle BETWEEN 0 AND 999999999),
    CONSTRAINT ck_devices_name CHECK (char_length(name) BETWEEN 1 AND 64),
    CONSTRAINT ck_devices_expire_time CHECK (expire_time > create_time)
);

-- Enrolled again under the same name: the earlier enrolment has been revoked.
CREATE UNIQUE INDEX uq_devices_owner_name ON devices (owner_id, name) WHERE revoke_time IS NULL;

-- A window of a device pays once, for ever, whatever the cache forgets.
CREATE TABLE offline_uses (
    device_id text COLLATE "C" NOT NULL,
    time_window bigint NOT NULL,
    owner_id text COLLATE "C" NOT NULL,
    code_digest text COLLATE "C" NOT NULL,
    redemption_token text COLLATE "C" NOT NULL,
    merchant_id text COLLATE "C" NOT NULL,
    amount_minor bigint NOT NULL,
    currency_code text COLLATE "C" NOT NULL,
    use_time timestamptz NOT NULL,
    CONSTRAINT pk_offline_uses PRIMARY KEY (device_id, time_window),
    CONSTRAINT fk_offline_uses_device FOREIGN KEY (device_id) REFERENCES devices (id),
    CONSTRAINT ck_offline_uses_amount_minor CHECK (amount_minor > 0)
);

-- How a repeat is found after the window is long over.
CREATE INDEX ix_offline_uses_code_digest ON offline_uses (code_digest);

-- Of a day (UTC) and currency: a person's, not a device's, so that more devices do not spend more.
CREATE TABLE offline_spending (
    owner_id text COLLATE "C" NOT NULL,
    day date NOT NULL,
    currency_code text COLLATE "C" NOT NULL,
    spent_minor bigint NOT NULL,
    CONSTRAINT pk_offline_spending PRIMARY KEY (owner_id, day, currency_code),
    CONSTRAINT ck_offline_spending_spent_minor CHECK (spent_minor >= 0)
);

GRANT SELECT, INSERT ON devices TO barcode_svc;
GRANT UPDATE (key_id, sealed_secret, expire_time, revoke_time) ON devices TO barcode_svc;
-- What was used stays used.
GRANT SELECT, INSERT ON offline_uses TO barcode_svc;
GRANT SELECT, INSERT ON offline_spending TO barcode_svc;
GRANT UPDATE (spent_minor) ON offline_spending TO barcode_svc;
