"""What can go wrong while the local stack starts, runs or stops. Every message is written for its
user."""

from __future__ import annotations


class StackError(Exception):
    """The local stack cannot do what was asked; the message says why and what to do."""


class NotReady(StackError):
    """A server or process does not answer as it should, yet."""


class StartFailed(StackError):
    """A server or process ended, or did not become ready in time."""


class AlreadyRunning(StackError):
    """Another supervisor holds this data directory."""


class NotRunning(StackError):
    """No supervisor holds this data directory."""
