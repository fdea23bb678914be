"""The ledger: double entry, one balanced journal transaction for every payment that moved money.

Owns accounts, journal transactions and postings, in a PostgreSQL database of its own, and the
consumer ``ledger-posting`` on the stream PAYMENT_RESULTS, its only source. Calls no other service,
and nobody waits for it: a payment is done without it, and it may be behind but never wrong.
"""
