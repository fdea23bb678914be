"""Putting the book right by hand: one person proposes, another approves.

``model`` decides, ``operations`` are the use cases. The SQL is in ``ledger_svc.store.corrections``.
"""
