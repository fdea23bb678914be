"""Two people who pay each other at a steady rate, and can say afterwards whether anything is wrong.

For systems that run elsewhere: it knows them by their HTTP API alone.
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import ssl
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from typing import Any, NamedTuple
from urllib.parse import urlsplit

_TRY_SECONDS = 6.0
_IN_FLIGHT_MAX = 64
"""Requests at a time; while there are as many, those that would be due are left out."""
_AGAIN_SECONDS = 0.25
_AMOUNT_MINOR = 1
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class PayingError(Exception):
    """They cannot pay; the text says why."""


class Reply(NamedTuple):
    """One answer; status 0 is none."""

    status: int
    body: dict[str, Any]


@dataclass(eq=False)
class Attempt:
    """One payment that somebody wanted."""

    key: str
    payer: int
    """Which of the two."""
    payment_id: str = ""
    """As it was acknowledged first; empty: never."""
    status: str = ""


class Paying:
    """The two and what they did. Whoever uses their accounts meanwhile spoils the count."""

    def __init__(
        self, url: str, tokens: Sequence[str], *, currency: str, ca_file: str = ""
    ) -> None:
        """``tokens``: of two different customers. ``ca_file``: PEM of who signed the server's
        certificate, if the system does not know it. Raises ``PayingError``."""
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
            raise PayingError("tokens are only sent over https, or to this machine")
        self._url = url.rstrip("/")
        self._tokens = tuple(tokens)
        self._ids = [_subject(token) for token in tokens]
        if len(set(self._ids)) != 2:
            raise PayingError("two tokens are needed, of two different customers")
        self._currency = currency
        context = ssl.create_default_context(cafile=ca_file or None)
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=context), _NoRedirects()
        )
        self._threads = ThreadPoolExecutor(_IN_FLIGHT_MAX, thread_name_prefix="paying")
        self._run = secrets.token_hex(6)
        self._numbers = count(1)
        self._before: list[int] = []
        self.attempts: list[Attempt] = []
        self.accepted: list[float] = []
        """When payments were acknowledged, in seconds of the monotonic clock."""
        self.answers: Counter[str] = Counter()
        """By HTTP status; "0" is none."""

    async def begin(self) -> None:
        """Look what both have. Raises ``PayingError`` if that, or paying, is not possible."""
        self._before = [await self._balance(payer) for payer in (0, 1)]
        if min(self._before) < _AMOUNT_MINOR:
            raise PayingError(f"both need some {self._currency} to pay each other with")

    async def run(self, per_second: float, stop: asyncio.Event) -> None:
        """Pay until told to stop, then wait for what is under way."""
        under_way: set[asyncio.Task[None]] = set()
        due = time.monotonic()
        while not stop.is_set():
            if len(under_way) < _IN_FLIGHT_MAX:
                task = asyncio.create_task(self._pay())
                under_way.add(task)
                task.add_done_callback(under_way.discard)
            due += 1 / per_second
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        if under_way:
            await asyncio.wait(under_way)

    async def check(self, seconds_max: float) -> list[str]:
        """Repeat whatever has no definite answer, with its own key, and compare both accounts with
        what was paid. Answers a sentence for each thing that is wrong."""
        wrong: list[str] = []
        deadline = time.monotonic() + seconds_max
        for attempt in self.attempts:
            while attempt.status not in ("COMPLETED", "FAILED"):
                if time.monotonic() > deadline:
                    name = attempt.payment_id or attempt.key
                    wrong.append(f"{name} did not end within {seconds_max:g} s")
                    break
                before = attempt.payment_id
                await self._send(attempt)
                if before and attempt.payment_id != before:
                    wrong.append(f"{before} was acknowledged, and now it is {attempt.payment_id}")
                if attempt.status not in ("COMPLETED", "FAILED"):
                    await asyncio.sleep(_AGAIN_SECONDS)
            if attempt.status == "FAILED":
                wrong.append(f"{attempt.payment_id} failed")
        wrong += await self._lost()
        return wrong + await self._miscounted()

    def close(self) -> None:
        """End its threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _pay(self) -> None:
        number = next(self._numbers)
        attempt = Attempt(f"drill-{self._run}-{number}", payer=number % 2)
        self.attempts.append(attempt)
        await self._send(attempt)

    async def _send(self, attempt: Attempt) -> None:
        body = {
            "to": self._ids[1 - attempt.payer],
            "amount": _AMOUNT_MINOR,
            "currency": self._currency,
        }
        reply = await self._ask("POST", "/payments/send", attempt.payer, body, key=attempt.key)
        self.answers[str(reply.status)] += 1
        if reply.status in (200, 202):
            if not attempt.payment_id:
                self.accepted.append(time.monotonic())
            attempt.payment_id = str(reply.body.get("id", ""))
            attempt.status = str(reply.body.get("status", ""))

    async def _lost(self) -> list[str]:
        """Whatever was acknowledged and cannot be found."""
        places = asyncio.Semaphore(_IN_FLIGHT_MAX)

        async def look(attempt: Attempt) -> str:
            async with places:
                path = f"/payments/{attempt.payment_id}"
                reply = await _until_answered(lambda: self._ask("GET", path, attempt.payer))
                if reply.status == 200 and reply.body.get("status") == attempt.status:
                    return ""
                found = reply.body.get("status", reply.status)
                return f"{attempt.payment_id} was {attempt.status}, and now is {found}"

        known = [attempt for attempt in self.attempts if attempt.payment_id]
        return [text for text in await asyncio.gather(*map(look, known)) if text]

    async def _miscounted(self) -> list[str]:
        """Accounts that do not have what their payments left them."""
        wrong = []
        for payer in (0, 1):
            change = sum(
                _AMOUNT_MINOR if attempt.payer != payer else -_AMOUNT_MINOR
                for attempt in self.attempts
                if attempt.status == "COMPLETED"
            )
            expected, found = self._before[payer] + change, await self._balance(payer)
            if found != expected:
                wrong.append(
                    f"{self._ids[payer]} should have {expected} and has {found}: money moved twice,"
                    " or somebody else used the account"
                )
        return wrong

    async def _balance(self, payer: int) -> int:
        reply = await _until_answered(lambda: self._ask("GET", "/wallets/me", payer))
        if reply.status != 200:
            raise PayingError(f"GET /wallets/me answers {reply.status or 'nothing'}")
        for wallet in reply.body.get("items", []):
            if wallet["currency"] == self._currency:
                return int(wallet["available"])
        raise PayingError(f"{self._ids[payer]} has no wallet in {self._currency}")

    async def _ask(
        self, method: str, path: str, payer: int, body: Any = None, *, key: str = ""
    ) -> Reply:
        headers = {"Authorization": f"Bearer {self._tokens[payer]}"}
        if key:
            headers |= {"Idempotency-Key": key, "Content-Type": "application/json"}
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked
            self._url + path,
            method=method,
            headers=headers,
            data=json.dumps(body).encode() if body is not None else None,
        )
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, _fetch, self._opener, request)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A token goes where it was sent, and nowhere else."""

    def redirect_request(self, *_arguments: Any, **_more: Any) -> None:
        """Follow nothing."""


def _fetch(opener: urllib.request.OpenerDirector, request: urllib.request.Request) -> Reply:
    try:
        with opener.open(request, timeout=_TRY_SECONDS) as response:
            return Reply(response.status, _parsed(response.read()))
    except urllib.error.HTTPError as error:
        return Reply(error.code, {})
    except (OSError, ValueError):
        return Reply(0, {})


def _parsed(content: bytes) -> dict[str, Any]:
    body = json.loads(content)
    return body if isinstance(body, dict) else {}


async def _until_answered(ask: Callable[[], Awaitable[Reply]], *, tries_max: int = 40) -> Reply:
    """Ask again while it is the system that cannot answer."""
    for _ in range(tries_max - 1):
        reply = await ask()
        if 0 < reply.status < 500 and reply.status != 429:
            return reply
        await asyncio.sleep(_AGAIN_SECONDS)
    return await ask()


def _subject(token: str) -> str:
    """Whose token it is; who checks it is the gateway."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return str(claims["sub"])
    except (IndexError, ValueError, KeyError, TypeError) as error:
        raise PayingError("a token must be a JWT with a subject") from error
