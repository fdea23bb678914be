-- Reconciliation reads entries by payment, and those since a moment. Both grow in the order in which rows are
-- written, so a summary per few pages finds them; a B-tree would cost every transfer two more index entries.
-- Autosummarize, so that the newest pages do not have to wait for a vacuum of the whole table.
CREATE INDEX ix_entries_payment_time ON entries USING brin (payment_id, create_time)
    WITH (pages_per_range = 32, autosummarize = on);
