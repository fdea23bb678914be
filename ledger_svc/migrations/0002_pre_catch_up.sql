-- How far the journal is known to have every payment that was completed. One row.
CREATE TABLE catch_up (
    one boolean PRIMARY KEY DEFAULT true CONSTRAINT ck_catch_up_one CHECK (one),
    caught_up_to timestamptz NOT NULL
);
INSERT INTO catch_up (caught_up_to) VALUES ('1970-01-01 00:00:00+00');
GRANT SELECT ON catch_up TO ledger_svc;
GRANT UPDATE (caught_up_to) ON catch_up TO ledger_svc;
