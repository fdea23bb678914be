"""The bounded memory of what was used lately."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.recent import RecentlyUsed


@given(keys=st.lists(st.integers(0, 30), max_size=300), size=st.integers(1, 10))
def test_keeps_the_latest_and_stays_bounded(keys: list[int], size: int) -> None:
    """After any sequence of uses, the ``size`` most recently used keys are there with their value,
    and never more than twice ``size``."""
    cache: RecentlyUsed[int, str] = RecentlyUsed(size)
    used: list[int] = []
    for key in keys:
        if cache.get(key) is None:
            cache.put(key, f"value {key}")
        if key in used:
            used.remove(key)
        used.append(key)
        assert len(cache) <= 2 * size
    for key in used[-size:]:
        assert cache.get(key) == f"value {key}"


def test_a_value_can_be_replaced_and_all_can_be_forgotten() -> None:
    """``put`` replaces, also what is old already; ``clear`` leaves nothing behind."""
    cache: RecentlyUsed[str, int] = RecentlyUsed(1)
    cache.put("a", 1)
    cache.put("b", 2)
    cache.put("a", 3)
    assert (cache.get("a"), cache.get("b")) == (3, 2)
    cache.clear()
    assert (cache.get("a"), cache.get("b"), len(cache)) == (None, None, 0)
