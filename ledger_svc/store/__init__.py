"""Every SQL statement of the book. Each function works on its caller's connection.

Kinds and directions are the numbers of the contracts: a debit is 1, a credit is 2.
"""
