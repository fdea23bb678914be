"""Reading the book: balances at any moment, the trial balance, statements of accounts, searching.

What is booked is never changed and its numbers have no gaps, so everything here is a question about
transactions up to a number: two statements of SQL agree without a transaction around them.
"""
