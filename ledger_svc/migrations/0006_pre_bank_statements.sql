-- What the bank says, and which payment each of its lines is. Nothing of it is ever changed: there is no UPDATE or DELETE
-- for the service. Amounts are minor units, signed as the bank account sees them: negative for money that left it.
CREATE TABLE bank_statements (
    id text COLLATE "C" NOT NULL,
    account text COLLATE "C" NOT NULL,
    -- The bank's own id of the statement.
    reference text COLLATE "C" NOT NULL,
    currency_code text COLLATE "C" NOT NULL,
    start_date date NOT NULL,
    end_date date NOT NULL,
    opening_minor bigint NOT NULL,
    closing_minor bigint NOT NULL,
    line_count integer NOT NULL,
    -- SHA-256 of what was read: tells a repeat from another statement of the same id.
    content_hash bytea NOT NULL,
    actor text NOT NULL,
    import_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_bank_statements PRIMARY KEY (id),
    CONSTRAINT uq_bank_statements_reference UNIQUE (account, currency_code, reference),
    CONSTRAINT ck_bank_statements_dates CHECK (start_date <= end_date)
);

CREATE TABLE bank_statement_lines (
    id text COLLATE "C" NOT NULL,
    statement_id text COLLATE "C" NOT NULL,
    position text COLLATE "C" NOT NULL,
    -- 1 movement, 2 fee.
    kind smallint NOT NULL,
    amount_minor bigint NOT NULL,
    currency_code text COLLATE "C" NOT NULL,
    booking_date date NOT NULL,
    value_date date,
    is_reversal boolean NOT NULL,
    bank_reference text NOT NULL,
    counterparty text NOT NULL,
    texts text NOT NULL,
    CONSTRAINT pk_bank_statement_lines PRIMARY KEY (id),
    CONSTRAINT uq_bank_statement_lines_position UNIQUE (statement_id, position),
    CONSTRAINT fk_bank_statement_lines_statement FOREIGN KEY (statement_id) REFERENCES bank_statements (id),
    CONSTRAINT ck_bank_statement_lines_kind CHECK (kind IN (1, 2)),
    CONSTRAINT ck_bank_statement_lines_amount CHECK (amount_minor <> 0)
);
CREATE INDEX ix_bank_statement_lines_currency ON bank_statement_lines (currency_code, id);

-- One line, one payment: both at most once, whoever matches them.
CREATE TABLE bank_statement_matches (
    line_id text COLLATE "C" NOT NULL,
    payment_id text COLLATE "C" NOT NULL,
    -- 1 by reference, 2 by amount and date, 3 by hand.
    method smallint NOT NULL,
    -- Empty unless it was a person.
    actor text NOT NULL,
    reason text NOT NULL,
    match_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_bank_statement_matches PRIMARY KEY (line_id),
    CONSTRAINT uq_bank_statement_matches_payment UNIQUE (payment_id),
    CONSTRAINT fk_bank_statement_matches_line FOREIGN KEY (line_id) REFERENCES bank_statement_lines (id),
    CONSTRAINT ck_bank_statement_matches_method CHECK (method BETWEEN 1 AND 3),
    CONSTRAINT ck_bank_statement_matches_hand CHECK ((method = 3) = (actor <> '' AND reason <> ''))
);

-- Withdrawals and top-ups by time, to look for those that a line could be. They are few beside payments.
CREATE INDEX ix_journal_transactions_bank ON journal_transactions (effective_time, number) WHERE kind IN (3, 4);

GRANT SELECT, INSERT ON bank_statements TO ledger_svc;
GRANT SELECT, INSERT ON bank_statement_lines TO ledger_svc;
GRANT SELECT, INSERT ON bank_statement_matches TO ledger_svc;
