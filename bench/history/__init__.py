"""A month of payments in minutes: fills the books of a new system with rows as the services would
have left them, so that what depends on the size of the books can be measured.

``story`` says who paid whom and when, ``rows`` how each table tells it, ``filling`` writes it.
``python -m bench.history`` does all of it.
"""
