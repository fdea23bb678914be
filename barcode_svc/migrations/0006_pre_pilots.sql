-- Merchants whose payments go to the canary first. The process that knows nothing of it goes on: what it inserts is
-- no pilot, and what it updates stays what it was.

ALTER TABLE merchants ADD COLUMN pilot boolean NOT NULL DEFAULT false;

-- Few among many: this is what every gateway asks for every few seconds.
CREATE INDEX ix_merchants_pilot ON merchants (id) WHERE pilot AND close_time IS NULL;

GRANT UPDATE (pilot) ON merchants TO barcode_svc;
