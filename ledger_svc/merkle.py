"""Merkle trees as RFC 9162 section 2.1 has them: roots, inclusion paths and their check.

A leaf is hashed with a zero byte in front and a node with a one, so that nobody can pass a node off
as a leaf. A tree of n leaves has its first 2**k leaves on the left, 2**k the largest power of two
below n: a tree that grows keeps its complete subtrees for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256

HASH_BYTES = 32

Subtree = tuple[int, int]
"""A complete subtree: its level and its place there. Level 0 are the leaves; the subtree (k, i) has
the leaves from i * 2**k to (i + 1) * 2**k."""


def leaf_hash(content: bytes) -> bytes:
    """The hash of a leaf with this content."""
    return sha256(b"\0" + content).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node over two subtrees."""
    return sha256(b"\1" + left + right).digest()


def root_hash(leaves: Sequence[bytes]) -> bytes:
    """The root over these leaf hashes, one or more.

    Level by level: a last one without a neighbour moves up as it is, which gives the same tree as
    the recursion of the RFC.
    """
    level = list(leaves)
    if not level:
        raise ValueError("a tree has a leaf")
    while len(level) > 1:
        above = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        if len(level) % 2:
            above.append(level[-1])
        level = above
    return level[0]


def inclusion_path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The hashes beside the way from a leaf to the root, the leaf's neighbour first."""
    if not 0 <= index < len(leaves):
        raise ValueError("no such leaf")
    path = []
    level = list(leaves)
    while len(level) > 1:
        if index % 2:
            path.append(level[index - 1])
        elif index + 1 < len(level):
            path.append(level[index + 1])
        above = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        if len(level) % 2:
            above.append(level[-1])
        level, index = above, index // 2
    return path


def root_of_path(leaf: bytes, *, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that a leaf and its path lead to in a tree of ``size`` leaves (RFC 9162 section
    2.1.3.2); None if the path is none of such a tree."""
    if not 0 <= index < size:
        return None
    place, last, found = index, size - 1, leaf
    for beside in path:
        if last == 0:
            return None
        if place % 2 or place == last:
            found = node_hash(beside, found)
            while place % 2 == 0 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, beside)
        place, last = place >> 1, last >> 1
    return found if last == 0 else None


def peaks(size: int) -> list[Subtree]:
    """The complete subtrees that a tree of ``size`` leaves consists of, the largest first."""
    found, start = [], 0
    for level in range(size.bit_length() - 1, -1, -1):
        if size >> level & 1:
            found.append((level, start >> level))
            start += 1 << level
    return found


def subtrees_of_path(index: int, size: int) -> list[list[Subtree]]:
    """Which subtrees are beside the way from a leaf to the root, the leaf's neighbour first. Where
    the tree is ragged, what is beside is itself the tree over several complete ones."""
    beside: list[list[Subtree]] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + (1 << (end - start - 1).bit_length() - 1)
        if index < middle:
            beside.append(_complete(middle, end))
            end = middle
        else:
            beside.append(_complete(start, middle))
            start = middle
    return beside[::-1]


def _complete(start: int, end: int) -> list[Subtree]:
    """The leaves from start to end as complete subtrees; start is a multiple of their size."""
    return [(level, place + (start >> level)) for level, place in peaks(end - start)]


def bagged(hashes: Sequence[bytes]) -> bytes:
    """The root over complete subtrees, the largest first."""
    *rest, found = hashes
    for left in reversed(rest):
        found = node_hash(left, found)
    return found


def completed_subtrees(
    size: int, leaves: Sequence[bytes], hash_of: Callable[[Subtree], bytes]
) -> dict[Subtree, bytes]:
    """The subtrees above level 0 that become complete when ``leaves`` are added to a tree of
    ``size``. ``hash_of`` answers for the peaks of the old tree."""
    known = {(level, place): hash_of((level, place)) for level, place in peaks(size)}
    found: dict[Subtree, bytes] = {}
    for index, leaf in enumerate(leaves, size):
        level, place, current = 0, index, leaf
        known[level, place] = current
        while place % 2:
            left = known.pop((level, place - 1))
            known.pop((level, place))
            current = node_hash(left, current)
            level, place = level + 1, place >> 1
            known[level, place] = found[level, place] = current
    return found
