-- Who did what to which thing, from where, with what result. The same in every service (chassis/audit).
CREATE TABLE audit_records (
    id text COLLATE "C" NOT NULL,
    -- Of the record that was written before the act began.
    begun_id text COLLATE "C",
    record_time timestamptz NOT NULL DEFAULT now(),
    -- Whose certificate the call came with, and the person, if told.
    caller text COLLATE "C" NOT NULL,
    actor text COLLATE "C" NOT NULL,
    peer text COLLATE "C" NOT NULL,
    method text COLLATE "C" NOT NULL,
    -- Pairs: the first kind belongs to the first id.
    thing_kinds text[] COLLATE "C" NOT NULL,
    thing_ids text[] COLLATE "C" NOT NULL,
    item_count integer NOT NULL,
    refused_count integer NOT NULL,
    -- Name of a gRPC status, or BEGUN.
    result text COLLATE "C" NOT NULL,
    reason text COLLATE "C" NOT NULL,
    trace_id text COLLATE "C" NOT NULL,
    duration_ms integer,
    CONSTRAINT pk_audit_records PRIMARY KEY (id),
    CONSTRAINT uq_audit_records_begun UNIQUE (begun_id),
    CONSTRAINT ck_audit_records_ended CHECK ((result = 'BEGUN') = (duration_ms IS NULL)),
    CONSTRAINT ck_audit_records_begun CHECK (result <> 'BEGUN' OR begun_id IS NULL),
    CONSTRAINT ck_audit_records_things CHECK (cardinality(thing_kinds) = cardinality(thing_ids))
);
CREATE INDEX ix_audit_records_time ON audit_records (record_time, id);
CREATE INDEX ix_audit_records_actor ON audit_records (actor, record_time, id);
CREATE INDEX ix_audit_records_things ON audit_records USING gin (thing_ids);

-- The service cannot change what is recorded for want of privileges; this is for everybody else, the owner of the table included.
CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit records are never changed' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER refuse_audit_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_records
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();

GRANT SELECT, INSERT ON audit_records TO payment_svc;
