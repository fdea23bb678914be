"""Conditions that a client sets: If-Match before a change, If-None-Match before a download.

The entity tag of something that can be edited is the number of its version in quotes.
"""

from __future__ import annotations

import re

from gateway.problems import Problem

_VERSION_TAG = re.compile(rb'"([1-9][0-9]{0,17})"')
_ENTITY_TAG = re.compile(rb'(?:W/)?"([^"]*)"')


def version_tag(version: int) -> bytes:
    """The entity tag of a version, with its quotes."""
    return b'"%d"' % version


def parse_if_match(header: bytes | None) -> int:
    """The version that a change was made for; 0 for ``*``: whatever is there.

    Raises ``Problem`` precondition-required if the header is missing: without it two people would
    overwrite each other and not know it (RFC 6585, section 3). Precondition-failed for anything
    that is not one tag of ours: it matches no version, and a weak tag never does (RFC 9110, section
    13.1.1).
    """
    if header is None:
        raise Problem("precondition-required")
    value = header.strip(b" \t")
    if value == b"*":
        return 0
    match = _VERSION_TAG.fullmatch(value)
    if match is None:
        raise Problem("precondition-failed")
    return int(match[1])


def entity_tags(if_none_match: bytes | None) -> list[bytes]:
    """The tags of an If-None-Match, without quotes, for a weak comparison (RFC 9110, section
    13.1.2). ``*`` is among them as itself."""
    if if_none_match is None:
        return []
    if if_none_match.strip() == b"*":
        return [b"*"]
    return _ENTITY_TAG.findall(if_none_match)
