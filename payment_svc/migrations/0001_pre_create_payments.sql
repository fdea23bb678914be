-- Payments. A row is the promise that was given to the caller; while it is PENDING it is also the outbox.
CREATE TABLE payments (
    id text COLLATE "C" PRIMARY KEY,
    caller_id text COLLATE "C" NOT NULL,
    request_id text COLLATE "C" NOT NULL,
    fingerprint bytea NOT NULL,
    kind text COLLATE "C" NOT NULL
        CONSTRAINT ck_payments_kind CHECK (kind IN ('SEND', 'PAY', 'WITHDRAW', 'TOP_UP')),
    status text COLLATE "C" NOT NULL
        CONSTRAINT ck_payments_status CHECK (status IN ('PENDING', 'COMPLETED', 'FAILED')),
    failure_code text COLLATE "C",
    payer_id text COLLATE "C" NOT NULL,
    payer_name text NOT NULL,
    payer_wallet_id text COLLATE "C" NOT NULL,
    payee_id text COLLATE "C" NOT NULL,
    payee_name text NOT NULL,
    payee_wallet_id text COLLATE "C" NOT NULL,
    amount_minor bigint NOT NULL CONSTRAINT ck_payments_amount CHECK (amount_minor > 0),
    currency_code text COLLATE "C" NOT NULL,
    note text NOT NULL,
    order_ref text NOT NULL,
    barcode_issuance_id text COLLATE "C",
    traceparent text COLLATE "C" NOT NULL,
    create_time timestamptz NOT NULL,
    -- When the sweeper puts it back into the queue if it is still PENDING.
    sweep_time timestamptz NOT NULL,
    complete_time timestamptz,
    event_number bigint,
    payer_entry_number bigint,
    payee_entry_number bigint,
    CONSTRAINT ck_payments_wallets CHECK (payer_wallet_id <> payee_wallet_id),
    CONSTRAINT ck_payments_terminal CHECK (
        (status = 'PENDING') = (complete_time IS NULL)
        AND (status = 'FAILED') = (failure_code IS NOT NULL)
    )
)
-- Each payment is updated once, when it ends; room on the page keeps the new version beside the old one.
WITH (fillfactor = 80);

-- The same request of the same caller is one payment, for ever.
CREATE UNIQUE INDEX uq_payments_caller_key ON payments (caller_id, request_id);
-- A barcode pays once, also if the cache that issued it forgets.
CREATE UNIQUE INDEX uq_payments_barcode_issuance ON payments (barcode_issuance_id)
    WHERE barcode_issuance_id IS NOT NULL;
-- The sweeper's work list; empty when all is well.
CREATE INDEX ix_payments_pending ON payments (sweep_time) WHERE status = 'PENDING';
-- A person's payments, newest first (ids sort by time).
CREATE INDEX ix_payments_payer ON payments (payer_id, id);
CREATE INDEX ix_payments_payee ON payments (payee_id, id);
-- A person's Payment Done events, in order.
CREATE INDEX ix_payments_payer_event ON payments (payer_id, event_number)
    WHERE event_number IS NOT NULL;
CREATE INDEX ix_payments_payee_event ON payments (payee_id, event_number)
    WHERE event_number IS NOT NULL AND status = 'COMPLETED';

-- One row. Whoever ends payments locks it until its commit, so event numbers become visible in order and
-- have no gaps: a reader who saw number n never misses a lower one.
CREATE TABLE event_counter (
    one boolean PRIMARY KEY DEFAULT true CONSTRAINT ck_event_counter_one CHECK (one),
    last_number bigint NOT NULL
);
INSERT INTO event_counter (last_number) VALUES (0);

CREATE TABLE bank_accounts (
    id text COLLATE "C" PRIMARY KEY,
    owner_id text COLLATE "C" NOT NULL,
    holder text NOT NULL,
    iban text COLLATE "C" NOT NULL,
    create_time timestamptz NOT NULL
);
CREATE UNIQUE INDEX uq_bank_accounts_owner_iban ON bank_accounts (owner_id, iban);

-- Payments are never deleted, and only what their end changes may be written.
GRANT SELECT, INSERT ON payments TO payment_svc;
GRANT UPDATE (status, failure_code, sweep_time, complete_time, event_number, payer_entry_number,
    payee_entry_number) ON payments TO payment_svc;
GRANT SELECT ON event_counter TO payment_svc;
GRANT UPDATE (last_number) ON event_counter TO payment_svc;
GRANT SELECT, INSERT ON bank_accounts TO payment_svc;
