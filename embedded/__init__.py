"""The local stack: real PostgreSQL, NATS and Valkey from wheels, and the processes of qrpay on top.

Owns everything under one data directory (`.qrpay` by default): the servers' files, a development
certificate authority, passwords, a token issuer, logs. Needs no Docker, no root and no
configuration, and listens on loopback only. Calls no service except for its health; `cli` is its
user, and the tests use `running_postgres`, `running_nats` and `running_valkey` by themselves.
"""

from __future__ import annotations
