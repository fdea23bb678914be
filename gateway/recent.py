"""A bounded dict that forgets what was not used lately: tokens, callers, payments done."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class RecentlyUsed(Generic[Key, Value]):
    """Keeps at least the ``size`` most recently used entries and at most twice as many.

    Two generations: when the young one is full, it becomes the old one and the old one is dropped;
    a hit in the old one moves the entry to the young one. That is as good as a least-recently-used
    list here, at the cost of one dict look-up, and it sits on the path of every request.
    """

    __slots__ = ("_old", "_size", "_young")

    def __init__(self, size: int) -> None:
        assert size >= 1, "a cache holds something"
        self._size = size
        self._young: dict[Key, Value] = {}
        self._old: dict[Key, Value] = {}

    def get(self, key: Key) -> Value | None:
        """The value, or None if it is not there (any more)."""
        value = self._young.get(key)
        if value is None and self._old:
            value = self._old.pop(key, None)
            if value is not None:
                self.put(key, value)
        return value

    def put(self, key: Key, value: Value) -> None:
        """Remember the value, and forget what was not used for longest if there are too many."""
        if len(self._young) >= self._size and key not in self._young:
            self._old, self._young = self._young, {}
        self._young[key] = value

    def clear(self) -> None:
        """Forget everything."""
        self._young.clear()
        self._old.clear()

    def __len__(self) -> int:
        return len(self._young) + len(self._old.keys() - self._young.keys())
