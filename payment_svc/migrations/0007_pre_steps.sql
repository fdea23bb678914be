-- The steps between a payment's acceptance and its end, for people who ask where it was.

-- Those that every payment takes are set as it ends, in the update that is made anyway: one row of a table of its own for each payment
-- would have cost a tenth of PostgreSQL's time for it. NULL: an earlier release ended it, or a person.
ALTER TABLE payments
    -- The queue stored the task for the try that led to the outcome, and that try began.
    ADD COLUMN queue_time timestamptz,
    ADD COLUMN try_time timestamptz,
    ADD COLUMN attempt integer,
    -- The queue stored the result.
    ADD COLUMN result_time timestamptz;
GRANT UPDATE (queue_time, try_time, attempt, result_time) ON payments TO payment_svc;

-- Those that are out of the ordinary. Append-only.
CREATE TABLE payment_steps (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment_id text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL CONSTRAINT ck_payment_steps_kind CHECK (kind IN ('TRIED', 'SWEPT')),
    -- 0 for what is no try.
    attempt integer NOT NULL CONSTRAINT ck_payment_steps_attempt CHECK (attempt >= 0),
    -- When the queue stored what was tried.
    queue_time timestamptz,
    start_time timestamptz NOT NULL,
    end_time timestamptz NOT NULL,
    -- Why it led to nothing; empty if nothing was wrong.
    reason text NOT NULL
);
CREATE INDEX ix_payment_steps_payment ON payment_steps (payment_id, number);

GRANT SELECT, INSERT ON payment_steps TO payment_svc;
