-- How far reconciliation is. One row. Milliseconds since 1970, as in the ids of payments.
CREATE TABLE reconciliation_progress (
    one boolean PRIMARY KEY DEFAULT true CONSTRAINT ck_reconciliation_progress_one CHECK (one),
    -- Payments accepted before then were compared, and everything about them had settled.
    verified_milliseconds bigint NOT NULL,
    -- The round through history has come so far; then it begins anew.
    history_milliseconds bigint NOT NULL
);
INSERT INTO reconciliation_progress (verified_milliseconds, history_milliseconds) VALUES (0, 0);

-- Differences on file: what was repaired, and what waits for a person.
CREATE TABLE reconciliation_cases (
    id text COLLATE "C" PRIMARY KEY,
    kind text COLLATE "C" NOT NULL,
    payment_id text COLLATE "C" NOT NULL,
    wallet_id text COLLATE "C" NOT NULL,
    -- Stays the same while the difference does.
    identity text NOT NULL,
    -- All wallets whose balances it may explain.
    wallet_ids text[] COLLATE "C" NOT NULL,
    expected text NOT NULL,
    found text NOT NULL,
    state text COLLATE "C" NOT NULL
        CONSTRAINT ck_reconciliation_cases_state CHECK (state IN ('OPEN', 'HEALED', 'RESOLVED')),
    action text COLLATE "C" NOT NULL CONSTRAINT ck_reconciliation_cases_action
        CHECK (action IN ('CASE_OPENED', 'FROZEN', 'POSTED', 'REPUBLISHED')),
    first_seen_time timestamptz NOT NULL,
    last_seen_time timestamptz NOT NULL,
    resolved_by text NOT NULL DEFAULT '',
    reason text NOT NULL DEFAULT '',
    -- The same difference is one case, however often it is found.
    CONSTRAINT uq_reconciliation_cases_difference UNIQUE (payment_id, wallet_id, kind, identity)
);
-- The list of cases, newest first.
CREATE INDEX ix_reconciliation_cases_first_seen ON reconciliation_cases (first_seen_time, id);
-- What waits for a person; empty when all is well.
CREATE INDEX ix_reconciliation_cases_open ON reconciliation_cases (id) WHERE state = 'OPEN';

-- Who did what to a case, and why. Append-only: the role may not change or delete a line.
CREATE TABLE reconciliation_case_records (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id text COLLATE "C" NOT NULL
        CONSTRAINT fk_reconciliation_case_records_case REFERENCES reconciliation_cases (id),
    act text COLLATE "C" NOT NULL CONSTRAINT ck_reconciliation_case_records_act
        CHECK (act IN ('FOUND', 'HEALED', 'FROZEN', 'RESOLVED', 'UNFROZEN')),
    actor text NOT NULL,
    why text NOT NULL,
    time timestamptz NOT NULL
);
CREATE INDEX ix_reconciliation_case_records_case ON reconciliation_case_records (case_id, number);

GRANT SELECT ON reconciliation_progress TO ledger_svc;
GRANT UPDATE (verified_milliseconds, history_milliseconds) ON reconciliation_progress TO ledger_svc;
GRANT SELECT, INSERT ON reconciliation_cases TO ledger_svc;
GRANT UPDATE (wallet_ids, expected, found, state, action, last_seen_time, resolved_by, reason)
    ON reconciliation_cases TO ledger_svc;
GRANT SELECT, INSERT ON reconciliation_case_records TO ledger_svc;
