"""The document, and the page that is made of it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any
from unittest.mock import create_autospec

import pytest
from openapi_spec_validator import validate

from gateway.bank_accounts_api import BankAccountsApi
from gateway.barcodes_api import BarcodesApi
from gateway.devices_api import DevicesApi
from gateway.docs_api import DocsApi
from gateway.docs_page import docs_page
from gateway.events_api import EventsApi
from gateway.health_api import HealthApi
from gateway.logos_api import LogosApi
from gateway.merchant_records_api import MerchantRecordsApi
from gateway.merchants_api import MerchantsApi
from gateway.openapi import openapi_document
from gateway.operation import Operation
from gateway.payments_api import PaymentsApi
from gateway.problems import PROBLEM_TYPES
from gateway.receipts_api import ReceiptsApi
from gateway.routes import Handlers, operations
from gateway.statements_api import StatementsApi
from gateway.timelines_api import TimelinesApi
from gateway.wallets_api import WalletsApi

# The calls of the public contract, word for word, and what was added to it.
CONTRACT = {
    "POST /payments/send",
    "POST /payments/pay",
    "POST /payments/withdraw",
    "GET /payments/{payment_id}",
    "GET /payments",
    "GET /wallets/me",
    "GET /wallets/me/entries",
    "GET /wallets/me/statement",
    "GET /payments/{payment_id}/timeline",
    "GET /payments/{payment_id}/receipt",
    "GET /receipts/keys",
    "POST /barcodes",
    "POST /devices",
    "GET /devices",
    "POST /devices/{device_id}/renew",
    "POST /devices/{device_id}/revoke",
    "GET /merchants/{merchant_id}",
    "GET /merchants/{merchant_id}/qr",
    "GET /merchants/{merchant_id}/poster",
    "POST /merchants/{merchant_id}/qr/revoke",
    "POST /qr/decode",
    "GET /qr/keys",
    "POST /bank-accounts",
    "GET /bank-accounts",
    "GET /events",
    "GET /healthz",
    "GET /readyz",
    "GET /openapi.json",
    "GET /docs",
    "POST /merchants",
    "PATCH /merchants/{merchant_id}",
    "POST /merchants/{merchant_id}/close",
    "GET /merchants/{merchant_id}/changes",
    "POST /merchants/{merchant_id}/stores",
    "GET /merchants/{merchant_id}/stores",
    "PATCH /merchants/{merchant_id}/stores/{store_id}",
    "POST /merchants/{merchant_id}/stores/{store_id}/close",
    "POST /merchants/{merchant_id}/terminals",
    "GET /merchants/{merchant_id}/terminals",
    "PATCH /merchants/{merchant_id}/terminals/{terminal_id}",
    "POST /merchants/{merchant_id}/terminals/{terminal_id}/close",
    "PUT /merchants/{merchant_id}/logo",
    "GET /merchants/{merchant_id}/logo",
    "GET /merchants/{merchant_id}/logo/{sha256}",
}


@pytest.fixture(scope="module")
def table() -> list[Operation]:
    """The route table with handlers that are never called."""
    return operations(
        Handlers(
            payments=create_autospec(PaymentsApi, instance=True),
            wallets=create_autospec(WalletsApi, instance=True),
            statements=create_autospec(StatementsApi, instance=True),
            receipts=create_autospec(ReceiptsApi, instance=True),
            timelines=create_autospec(TimelinesApi, instance=True),
            barcodes=create_autospec(BarcodesApi, instance=True),
            devices=create_autospec(DevicesApi, instance=True),
            merchants=create_autospec(MerchantsApi, instance=True),
            records=create_autospec(MerchantRecordsApi, instance=True),
            logos=create_autospec(LogosApi, instance=True),
            bank_accounts=create_autospec(BankAccountsApi, instance=True),
            events=create_autospec(EventsApi, instance=True),
            health=create_autospec(HealthApi, instance=True),
            docs=create_autospec(DocsApi, instance=True),
        )
    )


@pytest.fixture(scope="module")
def document(table: list[Operation]) -> dict[str, Any]:
    """The document as a client gets it."""
    made: dict[str, Any] = json.loads(json.dumps(openapi_document(table, version="1.2.3")))
    return made


def described(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every operation by method and path."""
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def test_the_table_is_the_contract(table: list[Operation]) -> None:
    """What is served is what was promised: nothing is missing, nothing is there by accident."""
    assert {f"{it.method} {it.path}" for it in table} == CONTRACT
    assert len(table) == len(CONTRACT)


def test_the_document_is_valid_openapi(document: dict[str, Any]) -> None:
    """The schema of OpenAPI 3.1 itself says so, and every reference leads somewhere."""
    validate(document)
    assert document["openapi"] == "3.1.0"


def test_every_route_is_described(document: dict[str, Any]) -> None:
    """Each operation is there, with a summary, a unique id, and what it needs."""
    found = described(document)
    assert found.keys() == CONTRACT
    assert len({it["operationId"] for it in found.values()}) == len(found)
    for name, operation in found.items():
        assert operation["summary"], name
        public = name in {
            *("GET /healthz", "GET /readyz", "GET /openapi.json", "GET /docs"),
            "GET /merchants/{merchant_id}/qr",
            "GET /merchants/{merchant_id}/poster",
            "GET /merchants/{merchant_id}/logo",
            "GET /merchants/{merchant_id}/logo/{sha256}",
            "GET /qr/keys",
            "GET /receipts/keys",
        }
        assert (operation["security"] == []) == public, name


def test_money_moves_are_described(document: dict[str, Any]) -> None:
    """Key, preference, both answers, replay, and every problem that the contract names for them."""
    for path in ("send", "pay", "withdraw"):
        operation = described(document)[f"POST /payments/{path}"]
        headers = {it["name"]: it for it in operation["parameters"]}
        assert headers["Idempotency-Key"]["required"] is True
        assert "Prefer" in headers
        assert {"200", "202", "400", "401", "403", "409", "413", "415", "422", "429", "503"} <= set(
            operation["responses"]
        )
        assert {"Location", "Idempotent-Replayed"} <= operation["responses"]["202"][
            "headers"
        ].keys()


def test_what_is_edited_and_what_is_a_file_is_described(document: dict[str, Any]) -> None:
    """An edit needs its version and takes a merge patch; what creates needs a key and does not
    wait; a file has its media types and no schema."""
    patch = described(document)["PATCH /merchants/{merchant_id}"]
    assert {it["name"]: it["required"] for it in patch["parameters"] if it["in"] == "header"} == {
        "If-Match": True
    }
    assert list(patch["requestBody"]["content"]) == [
        "application/merge-patch+json",
        "application/json",
    ]
    assert {"412", "428"} <= patch["responses"].keys()
    create = described(document)["POST /merchants"]
    assert [it["name"] for it in create["parameters"]] == ["Idempotency-Key"]
    put = described(document)["PUT /merchants/{merchant_id}/logo"]
    assert put["requestBody"]["content"] == {
        "image/png": {"schema": {}},
        "image/jpeg": {"schema": {}},
        "image/webp": {"schema": {}},
    }
    assert {"413", "415", "422"} <= put["responses"].keys()


def test_every_problem_can_be_answered_somewhere(document: dict[str, Any]) -> None:
    """A code that no operation names is either unused or forgotten; some belong to none."""
    text = json.dumps(document["paths"])
    unnamed = {code for code in PROBLEM_TYPES if f'"{code}"' not in text}
    assert unnamed == {"not-found", "method-not-allowed", "internal-error", "read-only"}


def test_bodies_and_queries_are_the_structs(document: dict[str, Any]) -> None:
    """Limits in the document are those of the decoder."""
    send = document["components"]["schemas"]["SendBody"]
    assert send["required"] == ["to", "amount", "currency"]
    assert send["additionalProperties"] is False
    assert send["properties"]["amount"]["minimum"] == 1
    assert "USD" in send["properties"]["currency"]["enum"]
    queries = {it["name"]: it for it in described(document)["GET /payments"]["parameters"]}
    assert queries.keys() == {"limit", "cursor", "status", "kind", "from", "to"}
    assert (queries["limit"]["schema"]["minimum"], queries["limit"]["schema"]["maximum"]) == (
        1,
        200,
    )
    assert queries["status"]["schema"]["enum"] == ["COMPLETED", "FAILED", "PENDING"]
    assert queries["from"]["schema"]["format"] == "date-time"


class Page(HTMLParser):
    """Collects what a page links to and loads, and checks that its tags match."""

    VOID = frozenset({"meta", "link", "br", "img", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag opens."""
        values = dict(attrs)
        self.ids += [values["id"] or ""] if "id" in values else []
        self.links += [values["href"] or ""] if "href" in values else []
        if tag in {"script", "img", "link", "iframe", "object"} or "src" in values:
            self.loaded.append(tag)
        assert not any(name.startswith("on") or name == "style" for name in values), values
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """A tag closes."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Text."""
        self.text += data


def test_the_page_stands_alone(document: dict[str, Any]) -> None:
    """It loads nothing and runs nothing, and its policy allows exactly its own style sheet."""
    page = docs_page(document)
    parsed = Page()
    parsed.feed(page.html.decode())
    assert parsed.loaded == []
    assert parsed.open == []
    assert b"@import" not in page.html
    assert b"url(" not in page.html
    (style,) = re.findall(rb"<style>(.*?)</style>", page.html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style).digest())
    assert b"style-src 'sha256-" + digest + b"'" in page.content_security_policy
    assert page.content_security_policy.startswith(b"default-src 'none'")


def test_the_page_shows_everything(document: dict[str, Any]) -> None:
    """Every path, every problem and every field is on it, and each link within it leads
    somewhere."""
    parsed = Page()
    parsed.feed(docs_page(document).html.decode())
    for name in CONTRACT:
        assert name.split(" ")[1] in parsed.text
    for code in PROBLEM_TYPES:
        assert f"problem-{code}" in parsed.ids
    for field in document["components"]["schemas"]["PayBarcodeBody"]["properties"]:
        assert field in parsed.text
    assert len(parsed.ids) == len(set(parsed.ids))
    for link in parsed.links:
        assert link == "/openapi.json" or link.removeprefix("#") in parsed.ids


def test_the_page_escapes(document: dict[str, Any]) -> None:
    """Whatever stands in a text, it stays text."""
    evil = "<script>alert(1)</script>"
    changed = json.loads(json.dumps(document))
    changed["info"]["description"] = evil
    changed["info"]["title"] = evil
    described(changed)["GET /payments"]["summary"] = evil
    described(changed)["GET /payments"]["parameters"][0]["description"] = evil
    assert b"<script" not in docs_page(changed).html
