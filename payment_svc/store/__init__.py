"""Every SQL statement of payment_svc. Each function takes the caller's connection and opens
nothing.
"""
