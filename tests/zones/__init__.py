"""Three zones on one machine, each with one of everything, and what happens when one is lost.

``python -m tests.zones`` (as root, on Linux) makes three network namespaces on a bridge. In each
runs a NATS server (together a cluster, three copies of every stream), a PostgreSQL (one primary,
the others synchronous standbys), a Valkey and one copy of every process. People pay by way of all
three gateways in turn while a zone is killed, cut off, slowed, and killed after its replication has
stood still, one after the other. Then the books and every answer that somebody had are checked by
the rules of ``tests.chaos``.

``operator`` stands in for what watches the engines on Kubernetes; all else is the real thing.
"""
