"""Fuzzing of what strangers hand us: `make fuzz MINUTES=10`. Not part of `make test`."""
