"""Merchants and their logos over HTTP: who may, what is passed on, and what comes back."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import httpx
import pytest

from gateway.merchant_routes import LOGO_BYTES_MAX
from qrpay.barcode.v1 import merchant_pb2
from tests.integration.gateway.conftest import Gateway, Mesh, User, running_gateway, wire
from tests.integration.gateway.fake_merchants import LOGO_SHA256, STORE_ID, TERMINAL_ID
from tests.integration.gateway.fakes import IDS, MERCHANT_ID, refusal

BASE = f"/merchants/{MERCHANT_ID}"
BODY = {"name": "Cafe Luna", "city": "Lisbon", "mcc": "5814", "country": "PT", "currency": "USD"}
VERSION = {"if-match": '"3"'}
PNG = {"content-type": "image/png"}


@pytest.fixture
async def owner(gateway: Gateway) -> User:
    """The merchant itself."""
    return await gateway.user("merchant", user_id=MERCHANT_ID)


@pytest.fixture
async def ops(gateway: Gateway) -> User:
    """An operator."""
    return await gateway.user("operator")


def code_of(answer: httpx.Response) -> tuple[int, str]:
    """Status and problem code."""
    return answer.status_code, answer.json()["code"]


async def test_a_merchant_registers_itself_and_an_operator_anybody(
    owner: User, ops: User, mesh: Mesh
) -> None:
    """Goal: the id is the caller's own unless an operator names it; a key makes it repeatable."""
    key = {"idempotency-key": "one"}
    first = await owner.post("/merchants", BODY, headers=key)
    assert first.status_code == 201
    assert first.json()["id"] == MERCHANT_ID
    assert first.headers["location"] == BASE
    assert first.headers["etag"] == '"1"'
    assert "idempotent-replayed" not in first.headers
    again = await owner.post("/merchants", {**BODY, "id": MERCHANT_ID}, headers=key)
    assert again.headers["idempotent-replayed"] == "true"
    request = mesh.merchants.requests[0]
    assert (request.request_id, request.actor) == ("one", MERCHANT_ID)
    other = IDS.make("mer")
    assert code_of(await owner.post("/merchants", {**BODY, "id": other})) == (403, "forbidden")
    assert (await ops.post("/merchants", {**BODY, "id": other})).json()["id"] == other
    missing = await ops.post("/merchants", BODY)
    assert missing.json()["errors"][0]["field"] == "id"
    assert code_of(await owner.http.post("/merchants", json=BODY)) == (
        400,
        "idempotency-key-missing",
    )


async def test_the_shape_is_the_readers(
    gateway: Gateway, owner: User, ops: User, alice: User
) -> None:
    """Goal: anybody signed in reads the pinned five fields, the merchant and operators all."""
    pinned = {"id", "name", "city", "mcc", "currency"}
    for user in (alice, await gateway.user("merchant")):
        answer = await user.get(BASE)
        assert answer.json().keys() == pinned
        assert "etag" not in answer.headers
    for user in (owner, ops):
        answer = await user.get(BASE)
        assert answer.json().keys() == pinned | {"country", "local", "status", "version", "logo"}
        assert answer.headers["etag"] == '"3"'


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", BASE, {"name": "Evil"}),
        ("POST", f"{BASE}/close", None),
        ("GET", f"{BASE}/changes", None),
        ("POST", f"{BASE}/stores", {"name": "Evil"}),
        ("GET", f"{BASE}/stores", None),
        ("PATCH", f"{BASE}/stores/{STORE_ID}", {"name": "Evil"}),
        ("POST", f"{BASE}/stores/{STORE_ID}/close", None),
        ("POST", f"{BASE}/terminals", {"name": "Evil", "store": STORE_ID}),
        ("GET", f"{BASE}/terminals", None),
        ("PATCH", f"{BASE}/terminals/{TERMINAL_ID}", {"name": "Evil"}),
        ("POST", f"{BASE}/terminals/{TERMINAL_ID}/close", None),
        ("PUT", f"{BASE}/logo", b"file"),
    ],
)
async def test_nobody_else_may(
    gateway: Gateway, mesh: Mesh, method: str, path: str, body: Any
) -> None:
    """Goal: a customer and another merchant are refused before anything is asked; the merchant and
    an operator are not."""
    headers = {"idempotency-key": IDS.make("key"), **VERSION}
    named: dict[str, Any] = {"json": body, "headers": headers}
    if isinstance(body, bytes):
        named = {"content": body, "headers": {**headers, **PNG}}
    for role in ("customer", "merchant"):
        stranger = await gateway.user(role)
        answer = await stranger.http.request(method, path, **named)
        assert code_of(answer) == (403, "forbidden")
    assert mesh.merchants.requests == []
    for user in (
        await gateway.user("merchant", user_id=MERCHANT_ID),
        await gateway.user("operator"),
    ):
        assert (await user.http.request(method, path, **named)).is_success


async def test_a_patch_names_what_it_changes(owner: User, mesh: Mesh) -> None:
    """Goal: a merge patch becomes fields and a mask: what is left out stays, null removes."""
    for patch, paths in (
        ({"name": "Luna"}, ["name"]),
        (
            {"city": "Porto", "mcc": "5812", "country": "PT"},
            ["city", "category_code", "country_code"],
        ),
        ({"local": None}, ["local"]),
        ({"local": {"name": "月"}}, ["local.name"]),
        ({"local": {"city": None}}, ["local.city"]),
    ):
        content_type = {"content-type": "application/merge-patch+json"}
        answer = await owner.http.patch(BASE, json=patch, headers={**VERSION, **content_type})
        assert answer.status_code == 200, answer.text
        assert answer.headers["etag"] == '"4"'
        request = mesh.merchants.requests[-1]
        assert list(request.update_mask.paths) == paths
        assert request.version == 3


@pytest.mark.parametrize(
    ("patch", "field"),
    [
        ({}, ""),
        ({"name": None}, "name"),
        ({"name": "x" * 26}, "name"),
        ({"name": "Café"}, "name"),
        ({"mcc": "58"}, "mcc"),
        ({"currency": "EUR"}, "currency"),
        ({"id": MERCHANT_ID}, "id"),
        ({"version": 9}, "version"),
        ({"local": "x"}, "local"),
        ({"local": {"name": None}}, "local"),
    ],
)
async def test_a_bad_patch_names_its_field(owner: User, patch: Any, field: str) -> None:
    """Goal: what cannot be changed or removed is refused by name."""
    answer = await owner.http.patch(BASE, json=patch, headers=VERSION)
    assert code_of(answer) == (400, "invalid-request")
    assert [it["field"] for it in answer.json()["errors"]] == [field]


@pytest.mark.parametrize("path", [BASE, f"{BASE}/stores/{STORE_ID}"])
async def test_nobody_overwrites_unseen(owner: User, path: str) -> None:
    """Goal: no version is refused, another version is refused, a star is meant."""
    patch = {"name": "Luna"}
    for header, status, code in (
        (None, 428, "precondition-required"),
        ('"2"', 412, "precondition-failed"),
        ('W/"3"', 412, "precondition-failed"),
        ('"3", "4"', 412, "precondition-failed"),
        ("3", 412, "precondition-failed"),
        ("", 412, "precondition-failed"),
        ('"99999999999999999999"', 412, "precondition-failed"),
    ):
        headers = {} if header is None else {"if-match": header}
        answer = await owner.http.patch(path, json=patch, headers=headers)
        assert code_of(answer) == (status, code), header
    for header in ('"3"', "*"):
        answer = await owner.http.patch(path, json=patch, headers={"if-match": header})
        assert answer.status_code == 200
    twice = [("if-match", '"3"'), ("if-match", '"3"')]
    assert code_of(await owner.http.patch(path, json=patch, headers=twice))[0] == 412


async def test_fields_that_the_service_refuses(owner: User, mesh: Mesh) -> None:
    """Goal: its names become those of the body, the local name's too."""
    error = refusal("INVALID_ARGUMENT", grpc.StatusCode.INVALID_ARGUMENT)
    error.violations = (
        ("merchant.category_code", "is unknown"),
        ("merchant.country_code", "is unknown"),
        ("merchant.local.name", "is odd"),
    )
    mesh.merchants.faults.raises = error
    answer = await owner.post("/merchants", BODY)
    assert [it["field"] for it in answer.json()["errors"]] == ["mcc", "country", "local.name"]


async def test_lists_have_pages(owner: User, mesh: Mesh) -> None:
    """Goal: limit, cursor and store reach the service; its token is the next cursor."""
    page = {"limit": "7", "cursor": "abc"}
    answer = await owner.get(f"{BASE}/changes", params=page)
    assert answer.json()["next_cursor"] == "more"
    await owner.get(f"{BASE}/terminals", params={**page, "store": STORE_ID})
    assert mesh.merchants.requests[-1] == merchant_pb2.ListPlacesRequest(
        merchant_id=MERCHANT_ID,
        kind=merchant_pb2.PLACE_KIND_TERMINAL,
        store_id=STORE_ID,
        page_size=7,
        page_token="abc",
    )


async def test_a_logo_is_passed_on(owner: User, mesh: Mesh) -> None:
    """Goal: the largest file there may be arrives byte by byte, and its address is told."""
    content = bytes(range(256)) * (LOGO_BYTES_MAX // 256)
    answer = await owner.http.put(f"{BASE}/logo", content=content, headers=PNG)
    assert answer.status_code == 200
    assert answer.json()["logo"] == f"{BASE}/logo/{LOGO_SHA256}"
    assert mesh.merchants.requests[-1].content == content


async def test_what_is_no_logo_goes_no_further(owner: User, mesh: Mesh) -> None:
    """Goal: too much, without a length too, and what is called something else is not passed on;
    what the service refuses is 422."""
    path = f"{BASE}/logo"
    large = b"x" * (LOGO_BYTES_MAX + 1)

    async def stream() -> Any:
        for _ in range(3):
            yield b"x" * (LOGO_BYTES_MAX // 2)

    for content in (large, stream()):
        answer = await owner.http.put(path, content=content, headers=PNG)
        assert code_of(answer) == (413, "body-too-large")
    for content_type in ("image/gif", "image/svg+xml", "application/json", "", "image/png; x=y"):
        answer = await owner.http.put(path, content=b"x", headers={"content-type": content_type})
        assert code_of(answer) == (415, "unsupported-media-type")
    assert mesh.merchants.requests == []
    mesh.merchants.faults.raises = refusal("LOGO_INVALID", grpc.StatusCode.INVALID_ARGUMENT)
    answer = await owner.http.put(path, content=b"x", headers=PNG)
    assert code_of(answer) == (422, "logo-invalid")


async def test_other_bodies_stay_small(owner: User) -> None:
    """Goal: the larger limit is the logo's alone."""
    answer = await owner.post(f"{BASE}/stores", {"name": "x" * 70_000})
    assert code_of(answer) == (413, "body-too-large")


async def test_too_many_uploads_are_refused(mesh: Mesh) -> None:
    """Goal: the memory for uploads is bounded: one that is not done keeps the next one out, and
    afterwards there is room again."""
    async with running_gateway(mesh, uploads_max=1) as gateway, wire(gateway) as slow:
        token = mesh.token(MERCHANT_ID, "merchant")
        await slow.send(
            b"PUT %b/logo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\n"
            b"Content-Type: image/png\r\nContent-Length: 4\r\n\r\nab"
            % (BASE.encode(), token.encode())
        )
        owner = await gateway.user("merchant", user_id=MERCHANT_ID)

        async def put() -> int:
            answer = await owner.http.put(f"{BASE}/logo", content=b"file", headers=PNG)
            return answer.status_code

        async with asyncio.timeout(10):
            while await put() != 503:  # noqa: ASYNC110 - over HTTP
                await asyncio.sleep(0.01)
            await slow.send(b"cd")
            assert await slow.status() == 200
            while await put() != 200:  # noqa: ASYNC110 - over HTTP
                await asyncio.sleep(0.01)


async def test_anybody_sees_a_logo(gateway: Gateway) -> None:
    """Goal: no token is needed; the current one is kept for minutes, one by its address for ever;
    both name the address of exactly this picture."""
    anybody = await gateway.client()
    current = await anybody.get(f"{BASE}/logo", params={"w": "200"})
    one = await anybody.get(f"{BASE}/logo/{LOGO_SHA256}", params={"w": "200"})
    for answer in (current, one):
        assert answer.status_code == 200
        assert answer.headers["vary"] == "Accept"
        assert answer.headers["content-location"] == f"{BASE}/logo/{LOGO_SHA256}?w=256"
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert current.headers["cache-control"] == "public, max-age=300"
    assert one.headers["cache-control"] == "public, max-age=31536000, immutable"


async def test_a_logo_that_is_known_is_not_sent_again(gateway: Gateway) -> None:
    """Goal: 304 with the headers that a cache needs, for the right tag alone."""
    anybody = await gateway.client()
    first = await anybody.get(f"{BASE}/logo")
    tag = first.headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = await anybody.get(f"{BASE}/logo", headers={"if-none-match": known})
        assert (again.status_code, again.content) == (304, b"")
        for name in ("etag", "cache-control", "vary", "content-location"):
            assert again.headers[name] == first.headers[name]
    for unknown in ('"other"', "nonsense", '"' + "é" * 3 + '"'):
        headers = {b"if-none-match": unknown.encode()}
        assert (await anybody.get(f"{BASE}/logo", headers=headers)).status_code == 200
    webp = await anybody.get(f"{BASE}/logo", headers={"if-none-match": tag, "accept": "image/webp"})
    assert webp.status_code == 200, "the other format is another picture"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/merchants/x/logo", (404, "merchant-not-found")),
        (f"{BASE}/logo/{'x' * 64}", (404, "logo-not-found")),
        (f"{BASE}/logo/{'A' * 64}", (404, "logo-not-found")),
        (f"{BASE}/logo?w=63", (400, "invalid-request")),
        (f"{BASE}/logo?w=1025", (400, "invalid-request")),
        (f"{BASE}/logo?w=-1", (400, "invalid-request")),
        (f"{BASE}/logo?w=1e2", (400, "invalid-request")),
        (f"{BASE}/logo?h=64", (400, "invalid-request")),
    ],
)
async def test_what_cannot_be_a_logo_is_not_asked_for(
    gateway: Gateway, mesh: Mesh, path: str, code: tuple[int, str]
) -> None:
    """Goal: bad addresses and widths stop at the door."""
    answer = await (await gateway.client()).get(path)
    assert code_of(answer) == code
    assert answer.headers["cache-control"] == "no-store"
    assert mesh.merchants.requests == []


async def test_no_logo_is_not_found(gateway: Gateway, mesh: Mesh) -> None:
    """Goal: a merchant without a logo is 404 with its own code, which nobody keeps."""
    mesh.merchants.faults.raises = refusal("LOGO_NOT_FOUND", grpc.StatusCode.NOT_FOUND)
    answer = await (await gateway.client()).get(f"{BASE}/logo")
    assert code_of(answer) == (404, "logo-not-found")


async def test_browsers_of_other_origins_may_edit(mesh: Mesh) -> None:
    """Goal: a preflight names the methods and headers that there are now."""
    origin = "https://app.example"
    async with running_gateway(mesh, cors_allow_origins=(origin,)) as gateway:
        client = await gateway.client()
        answer = await client.options(
            BASE,
            headers={
                "origin": origin,
                "access-control-request-method": "PATCH",
                "access-control-request-headers": "if-match, content-type",
            },
        )
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-methods"] == "GET, PATCH, POST, PUT"
