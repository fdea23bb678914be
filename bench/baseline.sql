-- What most people would write: one double-entry transfer per transaction, in a stored procedure.
CREATE TABLE accounts (
    id integer PRIMARY KEY,
    balance_minor bigint NOT NULL CHECK (balance_minor >= 0)
);
CREATE TABLE transfers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    debit_account_id integer NOT NULL REFERENCES accounts (id),
    credit_account_id integer NOT NULL REFERENCES accounts (id),
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    create_time timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE entries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transfer_id bigint NOT NULL REFERENCES transfers (id),
    account_id integer NOT NULL REFERENCES accounts (id),
    amount_minor bigint NOT NULL,
    balance_after_minor bigint NOT NULL
);
CREATE INDEX ON entries (account_id, id);
INSERT INTO accounts SELECT number, 1000000000 FROM generate_series(1, 10000) AS number;

CREATE PROCEDURE transfer(debit_id integer, credit_id integer, amount bigint)
LANGUAGE plpgsql AS $$
DECLARE
    transfer_id bigint;
    debit_balance bigint;
    credit_balance bigint;
BEGIN
    -- Both locks in one order, or two opposite transfers would deadlock.
    PERFORM FROM accounts WHERE id IN (debit_id, credit_id) ORDER BY id FOR UPDATE;
    UPDATE accounts SET balance_minor = balance_minor - amount
        WHERE id = debit_id RETURNING balance_minor INTO debit_balance;
    UPDATE accounts SET balance_minor = balance_minor + amount
        WHERE id = credit_id RETURNING balance_minor INTO credit_balance;
    INSERT INTO transfers (debit_account_id, credit_account_id, amount_minor)
        VALUES (debit_id, credit_id, amount) RETURNING id INTO transfer_id;
    INSERT INTO entries (transfer_id, account_id, amount_minor, balance_after_minor)
        VALUES (transfer_id, debit_id, -amount, debit_balance),
            (transfer_id, credit_id, amount, credit_balance);
END
$$;
