"""The documentation: for programs at /openapi.json, for people at /docs."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateway.docs_page import Page, docs_page
from gateway.openapi import openapi_document
from gateway.operation import Call, Operation, Reply

_CACHE = (b"cache-control", b"public, max-age=300")


class DocsApi:
    """Handlers of /openapi.json and /docs. They are in the table that they describe, so what they
    show is made once the table is complete: ``publish``."""

    def __init__(self, *, version: str) -> None:
        self._version = version
        self._document = b""
        self._page = Page(b"", b"")

    def publish(self, operations: Sequence[Operation]) -> None:
        """Describe these operations from now on."""
        document = openapi_document(operations, version=self._version)
        self._document = msgspec.json.encode(document)
        self._page = docs_page(document)

    async def document(self, _call: Call) -> Reply:
        """GET /openapi.json."""
        return _reply(self._document, b"application/json")

    async def page(self, _call: Call) -> Reply:
        """GET /docs."""
        policy = (b"content-security-policy", self._page.content_security_policy)
        return _reply(self._page.html, b"text/html; charset=utf-8", policy)


def _reply(body: bytes, content_type: bytes, *headers: tuple[bytes, bytes]) -> Reply:
    length = (b"content-length", b"%d" % len(body))
    return Reply(200, body, [(b"content-type", content_type), length, _CACHE, *headers])
