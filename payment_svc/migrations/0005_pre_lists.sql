-- What is pending, what was completed and whose events there are: lists of their own, beside the payments. As indexes of payments
-- they made each end of a payment a change of every index there is; without them it is none (a heap-only tuple update). Measured with
-- 10 million payments: a third of PostgreSQL's time for a payment, and most of what it had to read.

-- What waits for its end, and when it is put into the queue again.
CREATE TABLE pending_payments (
    payment_id text COLLATE "C" PRIMARY KEY,
    sweep_time timestamptz NOT NULL
);
CREATE INDEX ix_pending_payments_sweep_time ON pending_payments (sweep_time);

-- What has ended; append-only.
CREATE TABLE payment_ends (
    payment_id text COLLATE "C" NOT NULL,
    complete_time timestamptz NOT NULL,
    status text COLLATE "C" NOT NULL,
    payer_id text COLLATE "C" NOT NULL,
    payee_id text COLLATE "C" NOT NULL,
    event_number bigint
);

-- The lists are kept by the table itself: whoever writes payments, in whatever release, cannot forget them. A trigger per statement
-- sees all its rows at once.
CREATE FUNCTION list_new_payments() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO pending_payments (payment_id, sweep_time)
    SELECT id, sweep_time FROM written WHERE status = 'PENDING';
    RETURN NULL;
END
$$;

-- The list of what is pending is now empty, now full, and always young: its statistics are never right, and plans are kept. One made for
-- an empty list went through all of it for each payment, which took seven times as long as everything else. So the plan is told:
-- by the index, and no row of one side against each row of the other.
CREATE FUNCTION list_ended_payments() RETURNS trigger
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_nestloop = off
AS $$
BEGIN
    -- A payment is ended by who takes it off the list, so it ends once.
    WITH taken AS (
        DELETE FROM pending_payments
        WHERE payment_id = ANY (ARRAY(SELECT id FROM written WHERE status <> 'PENDING'))
        RETURNING payment_id
    )
    INSERT INTO payment_ends (payment_id, complete_time, status, payer_id, payee_id, event_number)
    SELECT id, complete_time, status, payer_id, payee_id, event_number
    FROM written JOIN taken ON payment_id = id;
    -- The release before this one kept the time in payments.
    IF EXISTS (SELECT FROM written WHERE status = 'PENDING') THEN
        UPDATE pending_payments SET sweep_time = written.sweep_time
        FROM written WHERE payment_id = id AND status = 'PENDING';
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER list_new_payments
AFTER INSERT ON payments
REFERENCING NEW TABLE AS written
FOR EACH STATEMENT EXECUTE FUNCTION list_new_payments();

CREATE TRIGGER list_ended_payments
AFTER UPDATE ON payments
REFERENCING NEW TABLE AS written
FOR EACH STATEMENT EXECUTE FUNCTION list_ended_payments();

-- Payments cannot be written until this is done: about 5 s per million.
INSERT INTO pending_payments SELECT id, sweep_time FROM payments WHERE status = 'PENDING';
INSERT INTO payment_ends
SELECT id, complete_time, status, payer_id, payee_id, event_number
FROM payments WHERE status <> 'PENDING' ORDER BY complete_time, id;

-- Payments in the order of their completion, for those who must miss none. Completion times are the database's own and only grow, so
-- each new entry goes to the right edge.
CREATE INDEX ix_payment_ends_complete_time ON payment_ends (complete_time, payment_id)
    WHERE status = 'COMPLETED';
-- A person's Payment Done events, in order.
CREATE INDEX ix_payment_ends_payer ON payment_ends (payer_id, event_number)
    WHERE event_number IS NOT NULL;
CREATE INDEX ix_payment_ends_payee ON payment_ends (payee_id, event_number)
    WHERE event_number IS NOT NULL AND status = 'COMPLETED';

-- Payments of one moment fill a page together and end together: each needs room for its second version.
ALTER TABLE payments SET (fillfactor = 50);

GRANT SELECT, INSERT, DELETE, UPDATE (sweep_time) ON pending_payments TO payment_svc;
GRANT SELECT, INSERT ON payment_ends TO payment_svc;
