-- The lists took their place.
DROP INDEX ix_payments_pending;
DROP INDEX ix_payments_payer_event;
DROP INDEX ix_payments_payee_event;
DROP INDEX ix_payments_complete_time;
