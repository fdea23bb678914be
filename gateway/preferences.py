"""The ``Prefer: wait=<seconds>`` header (RFC 7240, section 4.3)."""

from __future__ import annotations

import re

_WAIT = re.compile(rb'\s*wait\s*=\s*(?:"(\d{1,9})"|(\d{1,9}))\s*(?:;.*)?', re.IGNORECASE)


def preferred_wait_seconds(header: bytes | None, *, seconds_max: int) -> int:
    """How long the client would like to wait for the result; 0 if it did not say.

    A preference is never an error: what cannot be read is ignored, too long a wait is shortened to
    ``seconds_max`` (RFC 7240, section 2). The first ``wait`` counts.
    """
    if header is None:
        return 0
    for preference in header.split(b","):
        if found := _WAIT.fullmatch(preference):
            return min(int(found[1] or found[2]), seconds_max)
    return 0
