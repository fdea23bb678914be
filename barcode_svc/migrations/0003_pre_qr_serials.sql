-- Which issue of a shop's static code is the current one. Codes with a lower serial are revoked; a shop without a
-- row has its first. A row for each revocation would say no more, and would have to be searched for each scan.

CREATE TABLE qr_serials (
    merchant_id text COLLATE "C" NOT NULL,
    store_id text COLLATE "C" NOT NULL,
    serial integer NOT NULL,
    update_time timestamptz NOT NULL,
    CONSTRAINT pk_qr_serials PRIMARY KEY (merchant_id, store_id),
    CONSTRAINT fk_qr_serials_merchant_id FOREIGN KEY (merchant_id) REFERENCES merchants (id),
    CONSTRAINT ck_qr_serials_store_id CHECK (store_id ~ '^[0-9A-Za-z._-]{0,30}$'),
    CONSTRAINT ck_qr_serials_serial CHECK (serial BETWEEN 1 AND 99999999)
);

-- Never removed: that would bring revoked codes back.
GRANT SELECT, INSERT ON qr_serials TO barcode_svc;
GRANT UPDATE (serial, update_time) ON qr_serials TO barcode_svc;
