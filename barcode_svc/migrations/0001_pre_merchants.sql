-- Merchants: whose name is shown before a customer pays a QR code. Their money is in wallet_svc, under
-- the same id. Lengths and characters are those of EMVCo MPM objects 52, 58, 59 and 60.

CREATE TABLE merchants (
    id text COLLATE "C" NOT NULL,
    name text NOT NULL,
    city text NOT NULL,
    category_code text COLLATE "C" NOT NULL,
    country_code text COLLATE "C" NOT NULL,
    currency_code text COLLATE "C" NOT NULL,
    create_time timestamptz NOT NULL,
    CONSTRAINT pk_merchants PRIMARY KEY (id),
    CONSTRAINT ck_merchants_id CHECK (id ~ '^mer_[0-9A-Za-z_-]{1,60}$'),
    CONSTRAINT ck_merchants_name CHECK (name ~ '^[ -~]{1,25}$'),
    CONSTRAINT ck_merchants_city CHECK (city ~ '^[ -~]{1,15}$'),
    CONSTRAINT ck_merchants_category_code CHECK (category_code ~ '^[0-9]{4}$'),
    CONSTRAINT ck_merchants_country_code CHECK (country_code ~ '^[A-Z]{2}$'),
    CONSTRAINT ck_merchants_currency_code CHECK (currency_code ~ '^[A-Z]{3}$')
);

-- A merchant is registered once and never changed or removed by the service.
GRANT SELECT, INSERT ON merchants TO barcode_svc;
