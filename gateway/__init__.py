"""The HTTP edge: who the user is, the JSON shapes, problem+json, server-sent events.

Owns the public HTTP contract and nothing else: no business rule, no SQL, no state that a restart
would lose. Calls payment (submit, read, events), wallet (balances, entries) and barcode (codes,
merchants, QR) over mTLS; listens to Payment Done on the core NATS subject ``payments.event``.

Where to look: ``routes`` is the one table of what there is; ``endpoint`` is what happens to every
request, in order; ``bodies``, ``queries`` and ``answers`` are the shapes; ``problems`` is the only
place where an error becomes an HTTP answer; ``payment_events`` is how a waiter or a stream hears
that a payment is done.
"""
