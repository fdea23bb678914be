-- What operators propose to put right in the book, and what became of it. Nothing of it is ever changed: a decision is a row of
-- its own, and there is no UPDATE or DELETE for the service.
CREATE TABLE corrections (
    id text COLLATE "C" NOT NULL,
    request_id text NOT NULL,
    actor text NOT NULL,
    -- Whose certificate the request came with.
    caller text NOT NULL,
    reason text NOT NULL,
    effective_time timestamptz NOT NULL,
    -- The journal transaction that it takes back.
    reverses_number bigint,
    -- What is to be booked, of a reversal too.
    postings jsonb NOT NULL,
    propose_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_corrections PRIMARY KEY (id),
    CONSTRAINT uq_corrections_request_id UNIQUE (request_id),
    CONSTRAINT uq_corrections_actor UNIQUE (id, actor),
    CONSTRAINT ck_corrections_person CHECK (actor <> '' AND reason <> ''),
    CONSTRAINT ck_corrections_postings CHECK (jsonb_array_length(postings) BETWEEN 2 AND 64)
);

-- One decision each; an approval is somebody else's than the proposal.
CREATE TABLE correction_decisions (
    correction_id text COLLATE "C" NOT NULL,
    proposer text NOT NULL,
    is_approved boolean NOT NULL,
    actor text NOT NULL,
    caller text NOT NULL,
    reason text NOT NULL,
    decide_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_correction_decisions PRIMARY KEY (correction_id),
    CONSTRAINT fk_correction_decisions_correction FOREIGN KEY (correction_id, proposer) REFERENCES corrections (id, actor),
    CONSTRAINT ck_correction_decisions_two_persons CHECK (NOT is_approved OR lower(actor) <> lower(proposer)),
    CONSTRAINT ck_correction_decisions_person CHECK (actor <> '' AND is_approved = (reason = ''))
);

GRANT SELECT, INSERT ON corrections TO ledger_svc;
GRANT SELECT, INSERT ON correction_decisions TO ledger_svc;
