"""Payments and their life: accept, execute, results, sweep.

Owns the payments table -- which is also the outbox -- bank accounts, and the streams PAYMENT_TASKS
and PAYMENT_RESULTS. Calls wallet (who is that, move the money) and barcode (whose code is that).
Knows no balance.

One process carries one or more roles: ``api`` accepts, ``executor`` has tasks executed, ``results``
makes payments terminal and tells it, ``sweeper`` puts back into the queue what got lost on the way.
"""
