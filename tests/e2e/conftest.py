"""One running system, and the people of its demo data."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import pytest

from tests.e2e.stack import Stack, User


@pytest.fixture(scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """One system for all tests that leave it whole."""
    stack = Stack(tmp_path_factory.mktemp("stack") / "data")
    await stack.up()
    yield stack
    await stack.down()


@pytest.fixture(scope="session")
async def people(stack: Stack) -> AsyncIterator[Mapping[str, User]]:
    """The demo users: alice, bob, cafe and ops."""
    names = ("alice", "bob", "cafe", "ops")
    users = {name: User(gateway=stack.gateway, token=await stack.token(name)) for name in names}
    yield users
    for user in users.values():
        await user.http.aclose()
