-- The book anew: numbered without gaps, chained by hashes, with the balance after every posting.
-- What was booked so far is not carried over: the journal follows from payments and transfers, and is filled again
-- from them, because nothing counts as caught up any more.
DROP TABLE postings;
DROP TABLE journal_transactions;
DELETE FROM accounts;
UPDATE catch_up SET caught_up_to = '1970-01-01 00:00:00+00';

-- What kind of account it is, as the contract numbers it; null until wallet has been asked. Of the system's own accounts,
-- what was booked without any wallet having moved (credits less debits) is counted apart: a wallet must
-- agree with the rest.
ALTER TABLE accounts ADD COLUMN class smallint
    CONSTRAINT ck_accounts_class CHECK (class BETWEEN 1 AND 6);
ALTER TABLE accounts ADD COLUMN book_only_minor bigint NOT NULL DEFAULT 0;
CREATE INDEX ix_accounts_without_class ON accounts (id) WHERE class IS NULL;

-- One row. Whoever posts locks it until its commit: transactions are numbered in the order in which
-- they become visible, without gaps, and each batch can name the hash of the one before.
CREATE TABLE journal_head (
    one boolean PRIMARY KEY DEFAULT true CONSTRAINT ck_journal_head_one CHECK (one),
    batch_number bigint NOT NULL,
    transaction_number bigint NOT NULL,
    book_time timestamptz NOT NULL,
    hash bytea NOT NULL
)
WITH (fillfactor = 10);
-- The hash before the first one is 32 zero bytes.
INSERT INTO journal_head (batch_number, transaction_number, book_time, hash)
VALUES (0, 0, '1970-01-01 00:00:00+00', decode(repeat('00', 32), 'hex'));

-- What was posted in one go. root_hash is the Merkle root of its transactions; hash is that of the row, and
-- has the hash of the row before in it.
CREATE TABLE journal_batches (
    number bigint NOT NULL,
    first_transaction_number bigint NOT NULL,
    last_transaction_number bigint NOT NULL,
    book_time timestamptz NOT NULL,
    root_hash bytea NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT pk_journal_batches PRIMARY KEY (number),
    CONSTRAINT ck_journal_batches_transactions CHECK (first_transaction_number <= last_transaction_number)
);
-- The book's last number at a moment, and the batch of a number.
CREATE INDEX ix_journal_batches_book_time ON journal_batches (book_time, number);
CREATE UNIQUE INDEX uq_journal_batches_first ON journal_batches (first_transaction_number);

CREATE TABLE journal_transactions (
    number bigint NOT NULL,
    -- The payment, or whatever else was booked. Once, however often it is told.
    source_id text COLLATE "C" NOT NULL,
    kind smallint NOT NULL,
    effective_time timestamptz NOT NULL,
    batch_number bigint NOT NULL,
    reverses_number bigint,
    description text NOT NULL,
    leaf_hash bytea NOT NULL,
    CONSTRAINT pk_journal_transactions PRIMARY KEY (number),
    CONSTRAINT uq_journal_transactions_source_id UNIQUE (source_id),
    CONSTRAINT ck_journal_transactions_kind CHECK (kind > 0),
    CONSTRAINT ck_journal_transactions_reverses CHECK (reverses_number < number)
);
-- What is reversed is reversed once.
CREATE UNIQUE INDEX uq_journal_transactions_reverses ON journal_transactions (reverses_number)
    WHERE reverses_number IS NOT NULL;
-- What no payment caused: corrections and bank fees. They are few.
CREATE INDEX ix_journal_transactions_book_only ON journal_transactions (number) WHERE kind > 100;

CREATE TABLE postings (
    transaction_number bigint NOT NULL,
    line smallint NOT NULL,
    account_id text COLLATE "C" NOT NULL,
    direction smallint NOT NULL,
    currency_code text COLLATE "C" NOT NULL,
    amount_minor bigint NOT NULL,
    -- Credits less debits of the account, this posting included: a balance at any moment is one row.
    balance_after_minor bigint NOT NULL,
    CONSTRAINT pk_postings PRIMARY KEY (transaction_number, line),
    CONSTRAINT ck_postings_line CHECK (line >= 1),
    CONSTRAINT ck_postings_direction CHECK (direction IN (1, 2)),
    CONSTRAINT ck_postings_amount CHECK (amount_minor > 0)
);
-- An account's statement, and its balance at a moment.
CREATE INDEX ix_postings_account ON postings (account_id, transaction_number, line);

CREATE TRIGGER refuse_unbalanced_postings
AFTER INSERT ON postings
REFERENCING NEW TABLE AS written
FOR EACH STATEMENT EXECUTE FUNCTION refuse_unbalanced_postings();

CREATE OR REPLACE FUNCTION refuse_unbalanced_postings() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM 1
    FROM written
    GROUP BY transaction_number, currency_code
    HAVING sum(CASE direction WHEN 1 THEN amount_minor ELSE -amount_minor END) <> 0;
    IF FOUND THEN
        RAISE EXCEPTION 'the debits of a journal transaction must equal its credits'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_postings_balanced',
                TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA;
    END IF;
    -- The batch that this very database transaction writes; none if it writes none.
    PERFORM 1
    FROM journal_batches AS batch
    WHERE batch.number = (SELECT max(number) FROM journal_batches)
        AND batch.xmin = pg_current_xact_id()::xid
        AND batch.first_transaction_number <= (SELECT min(transaction_number) FROM written);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'nothing can be added to a journal transaction that is booked'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_postings_with_transaction',
                TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA;
    END IF;
    RETURN NULL;
END
$$;

GRANT UPDATE (class, book_only_minor) ON accounts TO ledger_svc;
GRANT SELECT ON journal_head TO ledger_svc;
GRANT UPDATE (batch_number, transaction_number, book_time, hash) ON journal_head TO ledger_svc;
GRANT SELECT, INSERT ON journal_batches TO ledger_svc;
GRANT SELECT, INSERT ON journal_transactions TO ledger_svc;
GRANT SELECT, INSERT ON postings TO ledger_svc;
