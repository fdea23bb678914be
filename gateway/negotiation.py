"""Which picture format a client gets (RFC 9110, section 12.5.1)."""

from __future__ import annotations

import re

_RANGE = re.compile(
    r"(?P<range>[!#$%&'*+.^_`|~0-9a-z/-]+)(?P<parameters>(?:[ \t]*;[^,]*)?)", re.IGNORECASE
)
_QUALITY = re.compile(r";[ \t]*q[ \t]*=[ \t]*(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*(?:;|$)")


def prefers_webp(accept: bytes | None) -> bool:
    """Whether to send WebP and not PNG.

    Only to who names it: a client that says no more than ``*/*`` may be older than WebP. PNG goes
    to all others, also to those who want neither; a picture is better than an error.
    """
    qualities = _qualities((accept or b"").decode("latin-1"))
    webp = qualities.get("image/webp", 0.0)
    png = next(
        (qualities[name] for name in ("image/png", "image/*", "*/*") if name in qualities), 0.0
    )
    return webp > 0 and webp >= png


def _qualities(accept: str) -> dict[str, float]:
    """Media range -> quality; what is malformed is left out."""
    found = {}
    for part in accept.split(","):
        match = _RANGE.fullmatch(part.strip())
        if match is None:
            continue
        given = _QUALITY.search(match["parameters"])
        if given is None and "q=" in match["parameters"].lower():
            continue
        found[match["range"].lower()] = float(given[1]) if given else 1.0
    return found
