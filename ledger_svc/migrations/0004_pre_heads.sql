-- The tree over the batches (RFC 9162): a batch's hash is a leaf, and a subtree that is complete is kept, so
-- that a root and a proof take a handful of rows, however long the journal is. One row says how far it has grown.
CREATE TABLE journal_tree (
    one boolean PRIMARY KEY DEFAULT true CONSTRAINT ck_journal_tree_one CHECK (one),
    batch_count bigint NOT NULL
);
INSERT INTO journal_tree (batch_count) VALUES (0);

-- Complete subtrees of 2^level leaves; level 0 is journal_batches itself.
CREATE TABLE journal_nodes (
    level smallint NOT NULL,
    place bigint NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT pk_journal_nodes PRIMARY KEY (level, place),
    CONSTRAINT ck_journal_nodes_level CHECK (level >= 1)
);

-- What was signed: the tree at a moment. content is what the signature is of.
CREATE TABLE journal_heads (
    batch_count bigint NOT NULL,
    content text COLLATE "C" NOT NULL,
    signature bytea NOT NULL,
    -- Null until the stream has it.
    publish_time timestamptz,
    CONSTRAINT pk_journal_heads PRIMARY KEY (batch_count)
);
CREATE INDEX ix_journal_heads_unpublished ON journal_heads (batch_count) WHERE publish_time IS NULL;

GRANT SELECT ON journal_tree TO ledger_svc;
GRANT UPDATE (batch_count) ON journal_tree TO ledger_svc;
GRANT SELECT, INSERT ON journal_nodes TO ledger_svc;
GRANT SELECT, INSERT ON journal_heads TO ledger_svc;
GRANT UPDATE (publish_time) ON journal_heads TO ledger_svc;
