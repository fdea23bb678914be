"""What the bank says, beside what the book says.

``camt`` and ``csv_file`` read files, ``model`` is what they say, ``matching`` decides which payment
a line is, ``operations`` are the use cases. The SQL is in ``ledger_svc.store.bank_statements``.
"""
