-- Payments in the order of their completion, for those who must miss none. Completion times are the database's own and only grow, so
-- each new entry goes to the right edge.
CREATE INDEX ix_payments_complete_time ON payments (complete_time, id) WHERE status = 'COMPLETED';
