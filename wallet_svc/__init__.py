"""Wallets: who owns which, and the only place where a balance changes.

Owns owners, wallets, transfers and the numbered entries, in a PostgreSQL database of its own. Calls
no other service and knows no queue. The money rules are in ``model/transfers.py``, every SQL
statement in ``store.py``.
"""
