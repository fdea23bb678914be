"""Measuring a running system: load by wrk, a plain pgbench transfer beside it, and what it cost."""
