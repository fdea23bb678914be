"""Clients that mean harm, or have a bug: nothing they send is answered with a 5xx, hangs, or hurts
anybody else."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.gateway.conftest import Gateway, Mesh, User, running_gateway, wire
from tests.integration.gateway.fakes import IDS

MONEY_ROUTES = ["/payments/send", "/payments/pay", "/payments/withdraw"]
FUZZ = settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
VALUES: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["USD", "bob", "281004327719356024", "000201", 2**63, 2**70, -1, 0, 1.0])
    | st.sampled_from(["\x00", "\ud800", "\u202e", "a" * 1000, "🏴‍☠️", "1250", "null"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ["to", "amount", "currency", "note", "qr", "barcode", "order_ref", "bank_account", "x"]
NEARLY_BODIES: Any = st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=9)


@pytest.fixture(scope="session")
async def open_gateway(session_mesh: Mesh) -> AsyncIterator[Gateway]:
    """A gateway that limits nobody's rate, and gives clients half a second for a request."""
    async with running_gateway(
        session_mesh,
        caller_requests_per_second=1e6,
        caller_requests_burst=1_000_000,
        body_seconds=0.5,
        head_bytes_max=16_384,
    ) as gateway:
        yield gateway


@pytest.fixture(params=["customer", "merchant"])
async def anyone(request: pytest.FixtureRequest, open_gateway: Gateway, mesh: Mesh) -> User:
    """A customer, and a merchant."""
    return await open_gateway.user(request.param)


async def check(user: User, path: str, content: bytes) -> None:
    """The content is accepted or refused, soon; it never breaks anything."""
    headers = {"idempotency-key": IDS.make("key"), "content-type": "application/json"}
    async with asyncio.timeout(10):
        answer = await user.http.post(path, content=content, headers=headers)
    assert answer.status_code in {202, 400, 403, 413, 422}, answer.text
    if answer.status_code != 202:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == answer.status_code


@FUZZ
@given(path=st.sampled_from(MONEY_ROUTES), content=st.binary(max_size=2000))
async def test_any_bytes(anyone: User, path: str, content: bytes) -> None:
    """Whatever bytes are sent to a money route."""
    await check(anyone, path, content)


@FUZZ
@given(path=st.sampled_from(MONEY_ROUTES), body=VALUES | NEARLY_BODIES)
async def test_any_json(anyone: User, path: str, body: Any) -> None:
    """Whatever JSON is sent to a money route, nearly right or not at all; in the forms in which
    libraries write it."""
    await check(anyone, path, json.dumps(body).encode())
    await check(anyone, path, json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass"))


@FUZZ
@given(
    body=st.fixed_dictionaries(
        {"to": st.just("bob"), "amount": st.just(5), "currency": st.just("USD")},
        optional={"note": st.text(max_size=150)},
    ),
    name=st.sampled_from(["to", "amount", "currency", "note"]),
    value=VALUES,
)
async def test_one_odd_field(anyone: User, body: dict[str, Any], name: str, value: Any) -> None:
    """A sound body but for one field."""
    await check(anyone, "/payments/send", json.dumps({**body, name: value}).encode())


@pytest.mark.parametrize("value", ["\x00", "a\x00b", "\x1b[31m", "\x7f", "\x85", "line\nbreak"])
@pytest.mark.parametrize("field", ["to", "note"])
async def test_control_characters(anyone: User, field: str, value: str) -> None:
    """They are refused and the field is named: they would break logs, terminals and databases."""
    body = {"to": "bob", "amount": 5, "currency": "USD", field: value}
    answer = await anyone.post("/payments/send", body)
    assert answer.status_code == 400
    assert [it["field"] for it in answer.json()["errors"]] == [field]


async def test_twice_the_same_header(anyone: User, open_gateway: Gateway) -> None:
    """Two tokens, two keys or two content types could mean one thing here and another elsewhere."""
    body = {"to": "bob", "amount": 5, "currency": "USD"}
    token = f"Bearer {anyone.token}"
    for name, value, status in (
        ("authorization", token, 401),
        ("idempotency-key", "k", 400),
        ("content-type", "application/json", 415),
    ):
        headers = [
            ("authorization", token),
            ("idempotency-key", "k"),
            ("content-type", "application/json"),
            (name, value),
        ]
        client = await open_gateway.client()
        content = json.dumps(body).encode()
        answer = await client.post("/payments/send", content=content, headers=headers)
        assert answer.status_code == status, (name, answer.text)


@pytest.mark.parametrize(
    "content",
    [
        b"\r\n\r\n\x00\x01\x02\x03\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 50,  # TLS to a plain port
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nbad header\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\na\x00b: c\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\na: b\x00c\r\n\r\n",
        b"POST /payments/send HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"POST /payments/send HTTP/1.1\r\nhost: x\r\ncontent-length: 1e3\r\n\r\n",
        b"POST /payments/send HTTP/1.1\r\nhost: x\r\ncontent-length: " + b"9" * 40 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nabcdef",
        b"POST / HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n",
        b"CONNECT evil.example:443 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nhost: x\r\nx: " + b"a" * 100_000,
        b"G" * 100_000,
    ],
)
async def test_what_is_hardly_http(open_gateway: Gateway, content: bytes) -> None:
    """Nonsense, smuggling, other protocols: refused or hung up on, and never a 5xx."""
    async with wire(open_gateway) as raw:
        await raw.send(content)
        raw.writer.write_eof()
        status = await raw.status()
        assert status == 0 or 400 <= status < 500
        rest = await raw.everything()
        assert b"Traceback" not in rest
    assert (await (await open_gateway.client()).get("/healthz")).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/payments/%00",
        "/payments/%ff%fe",
        "/payments/..%2f..%2fetc%2fpasswd",
        "/%2e%2e/healthz",
        "/payments/" + "a" * 10_000,
        "/?" + "a=b&" * 1000,
        "/wallets/me/entries?after=%00",
        "/payments?cursor=%F0%9F%92%A9&limit=%00",
        "/merchants/mer_%0d%0aset-cookie:x/qr",
        "http://evil.example/healthz",
        "*",
    ],
)
async def test_odd_targets(anyone: User, open_gateway: Gateway, path: str) -> None:
    """Paths and queries that hope to be unpacked once too often."""
    async with wire(open_gateway) as raw:
        head = f"GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {anyone.token}\r\n\r\n"
        await raw.send(head.encode())
        assert (await raw.status()) in {400, 404, 200} - ({200} if "evil" not in path else set())


async def test_a_head_that_never_ends(open_gateway: Gateway) -> None:
    """A request that trickles in, or does not even begin, is hung up on when its time is over."""
    for beginning in (b"", b"\r\n", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nx: "):
        async with wire(open_gateway) as raw:
            await raw.send(beginning)
            assert await raw.everything() == b""


async def test_a_head_that_is_too_large(open_gateway: Gateway) -> None:
    """It is refused while it comes in, before it fills the memory."""
    async with wire(open_gateway) as raw:
        head = [b"x-%d: %s\r\n" % (number, b"a" * 1000) for number in range(5000)]
        assert await raw.send_until_refused([b"GET / HTTP/1.1\r\n", *head])


async def test_a_body_that_never_ends(open_gateway: Gateway, anyone: User) -> None:
    """A body that stops half-way is given up: 400, and the connection is closed."""
    head = (
        "POST /payments/send HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer {anyone.token}\r\nidempotency-key: k\r\ncontent-length: 100\r\n\r\n"
    )
    async with wire(open_gateway) as raw:
        await raw.send(head.encode() + b'{"to":')
        assert await raw.status() == 400
        assert b"did not arrive in time" in await raw.everything()


async def test_a_body_without_end_and_length(open_gateway: Gateway, anyone: User) -> None:
    """413 comes after 64 KiB, while the client still sends; if it never stops, it is cut off."""
    head = (
        "POST /payments/send HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer {anyone.token}\r\nidempotency-key: k\r\n"
        "transfer-encoding: chunked\r\n\r\n"
    )
    async with wire(open_gateway) as raw:
        await raw.send(head.encode())
        chunk = b"2710\r\n" + b"a" * 10_000 + b"\r\n"
        for _ in range(7):
            await raw.send(chunk)
        assert await raw.status() == 413
        assert await raw.send_until_refused([chunk] * 5000)


async def test_expect_continue(open_gateway: Gateway, anyone: User) -> None:
    """Who asks before it sends a body that is too large is refused without having sent it; who may
    send is told to go on."""
    for length, wanted in ((100_000, b"413"), (42, b"100")):
        head = (
            "POST /payments/send HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            f"authorization: Bearer {anyone.token}\r\nidempotency-key: k{length}\r\n"
            f"content-length: {length}\r\nexpect: 100-continue\r\n\r\n"
        )
        async with wire(open_gateway) as raw:
            await raw.send(head.encode())
            async with asyncio.timeout(10):
                assert wanted in await raw.reader.readline()


async def test_an_upgrade_that_we_do_not_offer(open_gateway: Gateway, anyone: User) -> None:
    """A WebSocket handshake is answered like any other request."""
    head = (
        "GET /wallets/nobody HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
        f"sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nauthorization: Bearer {anyone.token}\r\n"
        "sec-websocket-version: 13\r\n\r\n"
    )
    async with wire(open_gateway) as raw:
        await raw.send(head.encode())
        assert await raw.status() == 404


async def test_pipelined_requests(open_gateway: Gateway) -> None:
    """Requests in one piece are answered one after the other, in order."""
    async with wire(open_gateway) as raw:
        await raw.send(
            b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
            b"GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n"
            b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        )
        answers = await raw.everything()
        assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"200", b"404", b"200"]


async def test_too_many_connections(mesh: Mesh) -> None:
    """One more than allowed is told so and closed; those that are open go on."""
    async with (
        # The connection that asked whether it is ready stays open.
        running_gateway(mesh, connections_max=3) as gateway,
        wire(gateway) as first,
        wire(gateway),
        wire(gateway) as fourth,
    ):
        assert await fourth.status() == 503
        assert b"temporarily-unavailable" in await fourth.everything()
        await first.send(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        assert await first.status() == 200


async def test_clients_that_hang_up(open_gateway: Gateway, anyone: User, mesh: Mesh) -> None:
    """A client that goes away in the middle of a body, or while its payment is under way, leaves a
    gateway that works; the payment it asked for is made."""
    body = b'{"to":"hung-up","amount":5,"currency":"USD"}'
    head = (
        "POST /payments/send HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer {anyone.token}\r\nidempotency-key: hang-%s\r\n"
        f"content-length: {len(body)}\r\nprefer: wait=30\r\n\r\n"
    )
    async with wire(open_gateway) as raw:
        await raw.send((head % "a").encode() + body[:10])
    mesh.payments.faults.hangs = asyncio.Event()
    async with wire(open_gateway) as raw:
        await raw.send((head % "b").encode() + body)
        async with asyncio.timeout(10):
            while not mesh.payments.faults.calls:  # noqa: ASYNC110 - over the wire
                await asyncio.sleep(0.01)
    mesh.payments.faults.hangs.set()
    answer = await anyone.post("/payments/send", {"to": "bob", "amount": 5, "currency": "USD"})
    assert answer.status_code == 202
    payees = [item.send.recipient for item in mesh.payments.requests]
    assert sorted(payees) == ["bob", "hung-up"]


async def test_cors_is_off_unless_asked_for(gateway: Gateway, mesh: Mesh) -> None:
    """No page of another origin may call; where one is named, it may, problems included."""
    origin = {"origin": "https://app.example"}
    preflight = {**origin, "access-control-request-method": "POST"}
    anybody = await gateway.client()
    assert (await anybody.options("/payments/send", headers=preflight)).status_code == 405
    answer = await anybody.get("/payments", headers=origin)
    assert "access-control-allow-origin" not in answer.headers
    async with running_gateway(mesh, cors_allow_origins=("https://app.example",)) as with_cors:
        anybody = await with_cors.client()
        answer = await anybody.options(
            "/payments/send",
            headers={
                **preflight,
                "access-control-request-headers": "authorization,idempotency-key,content-type",
            },
        )
        assert answer.status_code == 200
        answer = await anybody.get("/payments", headers=origin)
        assert answer.status_code == 401
        assert answer.headers["access-control-allow-origin"] == "https://app.example"
        answer = await anybody.get("/payments", headers={"origin": "https://evil.example"})
        assert "access-control-allow-origin" not in answer.headers


async def test_public_routes_are_limited_by_address(mesh: Mesh) -> None:
    """Who needs no token is still told to slow down; health is asked as often as one likes."""
    async with running_gateway(
        mesh, address_requests_per_second=0.001, address_requests_burst=3
    ) as gateway:
        anybody = await gateway.client()
        statuses = [(await anybody.get("/openapi.json")).status_code for _ in range(4)]
        assert statuses == [200, 200, 200, 429]
        assert (await anybody.get("/healthz")).status_code == 200
