"""The audit trail: who did what to which thing, from where, with what result.

Recorded are the calls of operators and partners, and the calls of anybody who may not make them;
services that call one another, as they may, are not. Each service declares for every method what it
is (``acts.Act``), and keeps its records in a table of its own database that only grows.
"""
