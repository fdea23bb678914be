"""Reconciliation: payments, wallet transfers and the journal agree, or what differs is told.

ranges      ids as ranges of time, and their halves' halves
books       asks payment, wallet and our own database for digests and rows
model       decides what differs and what is to be done about it; pure
looking     a pass: digests first, and rows only where those differ
healing     what follows from the record of truth is repaired, the rest becomes a case
cases       cases on file, for people
reconciler  runs passes, again and again and when asked
rpc         ReconciliationService
"""
