-- A transfer may be ended by an operator before any money moved: failure code 6. What is stored keeps to the narrower rule,
-- so the new one is taken as true of it without a look at every row.
ALTER TABLE transfers DROP CONSTRAINT ck_transfers_outcome;
ALTER TABLE transfers ADD CONSTRAINT ck_transfers_outcome CHECK (
    (failure_code = 0 AND debit_entry_number > 0 AND credit_entry_number > 0)
    OR (failure_code BETWEEN 1 AND 6 AND debit_entry_number = 0 AND credit_entry_number = 0)
) NOT VALID;
