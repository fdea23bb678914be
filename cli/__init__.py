"""The tool: start and stop the local stack, see what it does, get tokens, measure.

`main` registers the commands; each is a module with a click command named `command`, imported only
when it is called, so that `--help` answers at once. Uses `embedded` for everything that runs, and
the public gRPC contracts for everything that the services know.
"""

from __future__ import annotations
