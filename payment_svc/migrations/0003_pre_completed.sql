-- Payments by when they ended, for those who must miss none. Rows end in about the order that they lie in, so summaries of
-- ranges of pages do, at next to no cost for whoever writes.
CREATE INDEX ix_payments_complete_time ON payments USING brin (complete_time)
    WITH (pages_per_range = 16, autosummarize = on);
