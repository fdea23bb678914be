-- Merchants can be changed and closed, have stores, terminals and logos, and a history of all that.
-- The process that knows nothing of it goes on: what it inserts is version 1, open, without a logo.

ALTER TABLE merchants
    ADD COLUMN language_code text COLLATE "C",
    ADD COLUMN local_name text,
    ADD COLUMN local_city text,
    ADD COLUMN version bigint NOT NULL DEFAULT 1,
    ADD COLUMN close_time timestamptz,
    ADD COLUMN logo_sha256 text COLLATE "C",
    -- EMVCo MPM object 64: a language and a name go together, the city is optional.
    ADD CONSTRAINT ck_merchants_local CHECK (
        (language_code IS NULL) = (local_name IS NULL) AND (local_city IS NULL OR local_name IS NOT NULL)
    ),
    ADD CONSTRAINT ck_merchants_language_code CHECK (language_code ~ '^[a-z]{2}$'),
    ADD CONSTRAINT ck_merchants_local_name CHECK (char_length(local_name) BETWEEN 1 AND 25),
    ADD CONSTRAINT ck_merchants_local_city CHECK (char_length(local_city) BETWEEN 1 AND 15),
    ADD CONSTRAINT ck_merchants_version CHECK (version >= 1),
    ADD CONSTRAINT ck_merchants_logo_sha256 CHECK (logo_sha256 ~ '^[0-9a-f]{64}$');

-- Stores, and the terminals in them.
CREATE TABLE places (
    id text COLLATE "C" NOT NULL,
    merchant_id text COLLATE "C" NOT NULL,
    store_id text COLLATE "C",
    name text NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    create_time timestamptz NOT NULL,
    close_time timestamptz,
    CONSTRAINT pk_places PRIMARY KEY (id),
    CONSTRAINT uq_places_id_merchant UNIQUE (id, merchant_id),
    CONSTRAINT fk_places_merchant FOREIGN KEY (merchant_id) REFERENCES merchants (id),
    -- With the merchant: a terminal cannot stand in another one's store.
    CONSTRAINT fk_places_store FOREIGN KEY (store_id, merchant_id) REFERENCES places (id, merchant_id),
    CONSTRAINT ck_places_kind CHECK (
        (starts_with(id, 'sto_') AND store_id IS NULL)
        OR (starts_with(id, 'trm_') AND starts_with(store_id, 'sto_'))
    ),
    CONSTRAINT ck_places_name CHECK (name ~ '^[ -~]{1,25}$'),
    CONSTRAINT ck_places_version CHECK (version >= 1)
);

-- Ids sort by kind, then by time: a page of a merchant's stores is a stretch of this index.
CREATE INDEX ix_places_merchant ON places (merchant_id, id);

-- Every logo that a merchant ever had: addresses of earlier ones stay good.
CREATE TABLE logos (
    merchant_id text COLLATE "C" NOT NULL,
    sha256 text COLLATE "C" NOT NULL,
    create_time timestamptz NOT NULL,
    CONSTRAINT pk_logos PRIMARY KEY (merchant_id, sha256),
    CONSTRAINT fk_logos_merchant FOREIGN KEY (merchant_id) REFERENCES merchants (id),
    CONSTRAINT ck_logos_sha256 CHECK (sha256 ~ '^[0-9a-f]{64}$')
);

-- What made something: a repeat finds what the first request made.
CREATE TABLE creations (
    actor text COLLATE "C" NOT NULL,
    request_id text COLLATE "C" NOT NULL,
    -- SHA-256 of the request's content: tells a repeat from another request under the same id.
    fingerprint bytea NOT NULL,
    subject_id text COLLATE "C" NOT NULL,
    create_time timestamptz NOT NULL,
    CONSTRAINT pk_creations PRIMARY KEY (actor, request_id),
    CONSTRAINT ck_creations_fingerprint CHECK (octet_length(fingerprint) = 32)
);

-- Who did what, when.
CREATE TABLE merchant_changes (
    merchant_id text COLLATE "C" NOT NULL,
    -- 1, 2, 3 ... for each merchant: whoever writes a line has locked the merchant.
    number bigint NOT NULL,
    change_time timestamptz NOT NULL,
    actor text COLLATE "C" NOT NULL,
    act text COLLATE "C" NOT NULL,
    subject_id text COLLATE "C" NOT NULL,
    fields jsonb NOT NULL,
    CONSTRAINT pk_merchant_changes PRIMARY KEY (merchant_id, number),
    CONSTRAINT fk_merchant_changes_merchant FOREIGN KEY (merchant_id) REFERENCES merchants (id),
    CONSTRAINT ck_merchant_changes_number CHECK (number >= 1),
    CONSTRAINT ck_merchant_changes_act CHECK (
        act IN (
            'merchant.registered', 'merchant.updated', 'merchant.closed', 'store.added', 'store.renamed',
            'store.closed', 'terminal.added', 'terminal.renamed', 'terminal.closed', 'logo.changed'
        )
    )
);

-- Not among these: the id and the currency, which printed codes carry. Closed is closed by the rules of
-- the service; what is written to the last three tables stays as it was written.
GRANT UPDATE (
    name, city, category_code, country_code, language_code, local_name, local_city, version, close_time,
    logo_sha256
) ON merchants TO barcode_svc;
GRANT SELECT, INSERT ON places TO barcode_svc;
GRANT UPDATE (name, version, close_time) ON places TO barcode_svc;
GRANT SELECT, INSERT ON logos TO barcode_svc;
GRANT SELECT, INSERT ON creations TO barcode_svc;
GRANT SELECT, INSERT ON merchant_changes TO barcode_svc;
