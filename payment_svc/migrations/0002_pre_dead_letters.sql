-- What could not be done and waits for a person. The stream PAYMENT_DEAD_LETTERS brings it here; from then on this is the truth,
-- so that losing the queue loses no letter.
CREATE TABLE dead_letters (
    id text COLLATE "C" PRIMARY KEY,
    reason text COLLATE "C" NOT NULL
        CONSTRAINT ck_dead_letters_reason CHECK (reason IN ('MALFORMED', 'EXHAUSTED', 'OVERDUE', 'REFUSED')),
    payment_id text COLLATE "C",
    subject text COLLATE "C" NOT NULL,
    payload bytea NOT NULL,
    attempts integer NOT NULL CONSTRAINT ck_dead_letters_attempts CHECK (attempts >= 0),
    first_failure_time timestamptz NOT NULL,
    last_failure_time timestamptz NOT NULL,
    last_error text NOT NULL,
    consumer text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL
        CONSTRAINT ck_dead_letters_state CHECK (state IN ('OPEN', 'REDRIVEN', 'DISCARDED', 'SETTLED')),
    file_time timestamptz NOT NULL
);
-- The desk's list, newest first.
CREATE INDEX ix_dead_letters_file_time ON dead_letters (file_time, id);
CREATE INDEX ix_dead_letters_payment ON dead_letters (payment_id) WHERE payment_id IS NOT NULL;
-- What is still to be done; empty when all is well.
CREATE INDEX ix_dead_letters_open ON dead_letters (file_time) WHERE state = 'OPEN';

-- Who did what to a letter, and why. Append-only: the role may not change or delete a line.
CREATE TABLE dead_letter_records (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dead_letter_id text COLLATE "C" NOT NULL
        CONSTRAINT fk_dead_letter_records_letter REFERENCES dead_letters (id),
    act text COLLATE "C" NOT NULL CONSTRAINT ck_dead_letter_records_act
        CHECK (act IN ('FILED', 'REDRIVEN', 'DISCARDED', 'DISCARD_REFUSED', 'SETTLED')),
    actor text NOT NULL,
    why text NOT NULL,
    time timestamptz NOT NULL
);
CREATE INDEX ix_dead_letter_records_letter ON dead_letter_records (dead_letter_id, number);

GRANT SELECT, INSERT ON dead_letters TO payment_svc;
GRANT UPDATE (reason, payload, attempts, last_failure_time, last_error, consumer, state)
    ON dead_letters TO payment_svc;
GRANT SELECT, INSERT ON dead_letter_records TO payment_svc;
