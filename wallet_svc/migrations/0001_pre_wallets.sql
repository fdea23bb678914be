-- Owners, wallets, transfers and entries. Text ids and codes sort and compare by bytes (COLLATE "C"):
-- they are never shown in an order that a person's language decides, and bytes are faster.
-- Enum numbers are those of qrpay.wallet.v1 and qrpay.type.v1. Amounts are minor units.

CREATE TABLE owners (
    id text COLLATE "C" NOT NULL,
    kind smallint NOT NULL,
    handle text COLLATE "C" NOT NULL,
    name text NOT NULL,
    -- Null for the system's owners, which no request made.
    request_id text COLLATE "C",
    -- SHA-256 of the request's content: tells a repeat from another request under the same id.
    request_fingerprint bytea,
    create_time timestamptz NOT NULL,
    CONSTRAINT pk_owners PRIMARY KEY (id),
    CONSTRAINT uq_owners_handle UNIQUE (handle),
    CONSTRAINT uq_owners_request_id UNIQUE (request_id),
    CONSTRAINT ck_owners_kind CHECK (
        (kind = 1 AND starts_with(id, 'usr_'))
        OR (kind = 2 AND starts_with(id, 'mer_'))
        OR (kind = 3 AND starts_with(id, 'opr_'))
        OR (kind = 4 AND id IN ('sys_bank', 'sys_fees', 'sys_suspense'))
    ),
    CONSTRAINT ck_owners_request CHECK (
        (kind = 4) = (request_id IS NULL) AND (kind = 4) = (request_fingerprint IS NULL)
    )
);

CREATE TABLE wallets (
    id text COLLATE "C" NOT NULL,
    owner_id text COLLATE "C" NOT NULL,
    currency_code text COLLATE "C" NOT NULL,
    status smallint NOT NULL DEFAULT 1,
    balance_minor bigint NOT NULL DEFAULT 0,
    held_minor bigint NOT NULL DEFAULT 0,
    last_entry_number bigint NOT NULL DEFAULT 0,
    may_be_negative boolean NOT NULL DEFAULT false,
    CONSTRAINT pk_wallets PRIMARY KEY (id),
    CONSTRAINT uq_wallets_owner_currency UNIQUE (owner_id, currency_code),
    CONSTRAINT fk_wallets_owner FOREIGN KEY (owner_id) REFERENCES owners (id),
    CONSTRAINT ck_wallets_status CHECK (status BETWEEN 1 AND 3),
    CONSTRAINT ck_wallets_available CHECK (may_be_negative OR balance_minor - held_minor >= 0),
    CONSTRAINT ck_wallets_held CHECK (held_minor >= 0),
    CONSTRAINT ck_wallets_last_entry_number CHECK (last_entry_number >= 0),
    CONSTRAINT ck_wallets_may_be_negative CHECK (may_be_negative = starts_with(owner_id, 'sys_'))
)
-- Room for the new version of a row in the page of the old one: no changing column is indexed, so
-- a change of balance then touches no index (a heap-only tuple update).
WITH (fillfactor = 50);

-- One row per payment that was executed or refused for good. Refusals are rows as well, so that a
-- repeat is refused alike even if the money has arrived meanwhile.
-- Transfers and entries have no foreign keys: they are written by one statement, whose transaction
-- holds the locks of the wallets they name, and no wallet can be deleted. Checking that again, five
-- times per transfer, halves the number of transfers per second.
CREATE TABLE transfers (
    payment_id text COLLATE "C" NOT NULL,
    debit_wallet_id text COLLATE "C" NOT NULL,
    credit_wallet_id text COLLATE "C" NOT NULL,
    amount_minor bigint NOT NULL,
    currency_code text COLLATE "C" NOT NULL,
    kind smallint NOT NULL,
    failure_code smallint NOT NULL,
    debit_entry_number bigint NOT NULL,
    credit_entry_number bigint NOT NULL,
    execute_time timestamptz NOT NULL,
    CONSTRAINT pk_transfers PRIMARY KEY (payment_id),
    CONSTRAINT ck_transfers_wallets CHECK (debit_wallet_id <> credit_wallet_id),
    CONSTRAINT ck_transfers_amount CHECK (amount_minor > 0),
    CONSTRAINT ck_transfers_kind CHECK (kind BETWEEN 1 AND 4),
    CONSTRAINT ck_transfers_outcome CHECK (
        (failure_code = 0 AND debit_entry_number > 0 AND credit_entry_number > 0)
        OR (failure_code BETWEEN 1 AND 5 AND debit_entry_number = 0 AND credit_entry_number = 0)
    )
);

CREATE TABLE entries (
    wallet_id text COLLATE "C" NOT NULL,
    number bigint NOT NULL,
    payment_id text COLLATE "C" NOT NULL,
    amount_minor bigint NOT NULL,
    balance_after_minor bigint NOT NULL,
    counterparty_wallet_id text COLLATE "C" NOT NULL,
    kind smallint NOT NULL,
    create_time timestamptz NOT NULL,
    -- Numbers cannot be written twice; that none is left out follows from the wallet's own counter.
    CONSTRAINT pk_entries PRIMARY KEY (wallet_id, number),
    CONSTRAINT ck_entries_number CHECK (number >= 1),
    CONSTRAINT ck_entries_amount CHECK (amount_minor <> 0),
    CONSTRAINT ck_entries_wallets CHECK (wallet_id <> counterparty_wallet_id),
    CONSTRAINT ck_entries_kind CHECK (kind BETWEEN 1 AND 4)
);

-- The other side of every currency. Their wallets are opened with the first wallet of a currency.
INSERT INTO owners (id, kind, handle, name, create_time) VALUES
    ('sys_bank', 4, 'bank', 'Bank', now()),
    ('sys_fees', 4, 'fees', 'Fees', now()),
    ('sys_suspense', 4, 'suspense', 'Suspense', now());

-- What the process may do, and no more. What was written about money stays as it was written: there
-- is no UPDATE or DELETE of transfers and entries; and a wallet starts empty, because its balance is
-- not among the columns that may be inserted.
GRANT SELECT, INSERT ON owners TO wallet_svc;
GRANT SELECT, INSERT (id, owner_id, currency_code, may_be_negative) ON wallets TO wallet_svc;
GRANT UPDATE (status, balance_minor, last_entry_number) ON wallets TO wallet_svc;
GRANT SELECT, INSERT ON transfers TO wallet_svc;
GRANT SELECT, INSERT ON entries TO wallet_svc;
