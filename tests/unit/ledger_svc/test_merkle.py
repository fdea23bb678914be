"""Merkle trees: the RFC's recursion, taken literally, says what is right."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_svc.merkle import (
    Subtree,
    bagged,
    completed_subtrees,
    inclusion_path,
    leaf_hash,
    node_hash,
    peaks,
    root_hash,
    root_of_path,
    subtrees_of_path,
)

SIZES = st.integers(1, 70)


def leaves_of(size: int) -> list[bytes]:
    """Different leaves."""
    return [leaf_hash(str(number).encode()) for number in range(size)]


def split_of(size: int) -> int:
    """The largest power of two below a size."""
    return 1 << (size - 1).bit_length() - 1


def literal_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 9162 section 2.1.1."""
    if len(leaves) == 1:
        return leaves[0]
    middle = split_of(len(leaves))
    return node_hash(literal_root(leaves[:middle]), literal_root(leaves[middle:]))


def literal_path(leaves: list[bytes], index: int) -> list[bytes]:
    """PATH of RFC 9162 section 2.1.3.1."""
    if len(leaves) == 1:
        return []
    middle = split_of(len(leaves))
    if index < middle:
        return [*literal_path(leaves[:middle], index), literal_root(leaves[middle:])]
    return [*literal_path(leaves[middle:], index - middle), literal_root(leaves[:middle])]


def test_hashes_tell_leaves_from_nodes() -> None:
    """A node's content as a leaf has another hash."""
    assert leaf_hash(b"ab") == sha256(b"\0ab").digest()
    assert node_hash(b"a", b"b") == sha256(b"\1ab").digest()


@given(size=SIZES)
def test_the_root_is_that_of_the_recursion(size: int) -> None:
    """For ragged sizes too."""
    assert root_hash(leaves_of(size)) == literal_root(leaves_of(size))


@given(size=SIZES, data=st.data())
def test_a_path_leads_to_the_root(size: int, data: st.DataObject) -> None:
    """From every leaf; and it is the RFC's path."""
    index = data.draw(st.integers(0, size - 1))
    leaves = leaves_of(size)
    path = inclusion_path(leaves, index)
    assert path == literal_path(leaves, index)
    assert root_of_path(leaves[index], index=index, size=size, path=path) == root_hash(leaves)


@given(size=st.integers(2, 70), data=st.data())
def test_another_leaf_place_or_path_leads_elsewhere(size: int, data: st.DataObject) -> None:
    """One changed thing, and the root is another one or there is none."""
    index = data.draw(st.integers(0, size - 1))
    leaves = leaves_of(size)
    leaf, path, root = leaves[index], inclusion_path(leaves, index), root_hash(leaves)
    other = data.draw(st.integers(0, size - 1).filter(lambda place: place != index))
    assert root_of_path(leaf_hash(b"no"), index=index, size=size, path=path) != root
    assert root_of_path(leaf, index=other, size=size, path=path) != root
    assert root_of_path(leaf, index=index, size=size, path=path[:-1]) != root
    assert root_of_path(leaf, index=index, size=size, path=[*path, root]) != root
    assert root_of_path(leaf, index=size, size=size, path=path) is None
    assert root_of_path(leaf, index=-1, size=size, path=path) is None


@given(steps=st.lists(st.integers(1, 20), min_size=1, max_size=6), data=st.data())
def test_a_growing_tree_keeps_what_is_complete(steps: list[int], data: st.DataObject) -> None:
    """Adding leaves needs the old tree's peaks only, and every path and root can be put together
    from complete subtrees."""
    total = sum(steps)
    leaves = leaves_of(total)
    known: dict[Subtree, bytes] = {}
    size = 0
    for step in steps:
        known |= completed_subtrees(size, leaves[size : size + step], known.__getitem__)
        known |= {(0, place): leaves[place] for place in range(size, size + step)}
        size += step
        assert bagged([known[peak] for peak in peaks(size)]) == root_hash(leaves[:size])
    index = data.draw(st.integers(0, total - 1))
    path = [bagged([known[item] for item in beside]) for beside in subtrees_of_path(index, total)]
    assert path == inclusion_path(leaves, index)


def test_what_is_not_there_has_no_path() -> None:
    """Nor has an empty tree a root."""
    with pytest.raises(ValueError, match="no such leaf"):
        inclusion_path(leaves_of(3), 3)
    with pytest.raises(ValueError, match="has a leaf"):
        root_hash([])
