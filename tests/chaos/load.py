"""People who pay all the time: send, scan, show a code, withdraw, repeat, and ask for what they may
not have."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

import httpx

from tests.chaos.history import Answer, Operation, Outcome, read_answer

IBAN = "DE89370400440532013000"
_TRY_SECONDS = 6.0
_TRIES_AT_ONCE_MAX = 3
_PAUSE_SECONDS = 0.05
_CODES_REMEMBERED = 40
_REPEATED_OF_LAST = 300


class Person:
    """Somebody with a token."""

    def __init__(
        self,
        name: str,
        *,
        gateway: str,
        token: str,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.name = name
        self.http = httpx.AsyncClient(
            base_url=gateway,
            headers={"Authorization": f"Bearer {token}"},
            timeout=_TRY_SECONDS,
            limits=httpx.Limits(max_connections=32, max_keepalive_connections=8),
            transport=transport,
        )

    async def attempt(self, operation: Operation, *, wait: int = 0) -> Answer:
        """Try an operation once and note the answer."""
        headers = {"Idempotency-Key": operation.key}
        if wait:
            headers["Prefer"] = f"wait={wait}"
        try:
            response = await self.http.post(operation.path, json=operation.body, headers=headers)
            answer = read_answer(response.status_code, response.json())
        except (httpx.HTTPError, ValueError):
            answer = Answer(Outcome.UNKNOWN)
        operation.answers.append(answer)
        return answer

    async def look(self, operation: Operation) -> None:
        """Look at the payment that an operation made, and note that answer too."""
        made = next(item for item in operation.answers if item.outcome is Outcome.OK)
        shown = await self.ask("GET", f"/payments/{made.payment_id}")
        if shown is not None:
            operation.answers.append(read_answer(200, shown))

    async def statements(self) -> list[dict[str, Any]]:
        """All wallets with all of their entries, as they are shown to their owner."""
        found = []
        for wallet in (await self.ask("GET", "/wallets/me") or {"items": []})["items"]:
            lines: list[dict[str, Any]] = []
            page: Any = {"next": 0}
            while page is not None and page["next"] is not None:
                query = f"currency={wallet['currency']}&after={page['next']}&limit=100"
                page = await self.ask("GET", f"/wallets/me/entries?{query}")
                lines += page["items"] if page is not None else []
            found.append({**wallet, "entries": lines})
        return found

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Something beside payments; None if there is no good answer."""
        try:
            response = await self.http.request(method, path, json=body)
            return response.json() if response.is_success else None
        except (httpx.HTTPError, ValueError):
            return None


class Load:
    """The clients and the history that they write."""

    def __init__(self, people: dict[str, Person], *, seed: int, qr: str) -> None:
        self._people = people
        self._qr = qr
        self._dice = random.Random(seed)
        self._keys = count(1)
        self._run = f"{seed}-{random.SystemRandom().getrandbits(32):x}"
        self._bank_accounts: dict[str, str] = {}
        self._codes: deque[str] = deque(maxlen=_CODES_REMEMBERED)
        self._stop = asyncio.Event()
        self.history: list[Operation] = []
        self.surprises: list[str] = []
        """Answers that no fault excuses: 500, or what is not JSON."""

    async def prepare(self) -> None:
        """What must be there before it starts."""
        for name in ("alice", "bob"):
            body = {"holder": name.title(), "iban": IBAN}
            account = await self._people[name].ask("POST", "/bank-accounts", body)
            self._bank_accounts[name] = account["id"]

    async def run(self, clients: int) -> None:
        """Pay until told to stop."""
        await asyncio.gather(*(self._client() for _ in range(clients)))

    def stop(self) -> None:
        """No new operations; those begun are tried to their end."""
        self._stop.set()

    def counts(self) -> Counter[str]:
        """How many operations there are by kind and outcome."""
        return Counter(f"{item.kind} {item.outcome}" for item in self.history)

    async def settle(self) -> None:
        """Repeat everything that is not settled, with its own key, until it is. Bounded by the
        caller."""
        open_ones = [item for item in self.history if not item.is_settled]
        limit = asyncio.Semaphore(16)

        async def finish(operation: Operation) -> None:
            async with limit:
                while not operation.is_settled:
                    await self._attempt(operation, wait=2)
                    await asyncio.sleep(_PAUSE_SECONDS)

        await asyncio.gather(*(finish(item) for item in open_ones))

    async def ask_again(self, share: float) -> None:
        """Repeat some of what is settled, or look at its payment: the answer must be the same."""
        limit = asyncio.Semaphore(16)

        async def again(operation: Operation) -> None:
            async with limit:
                if self._dice.random() < 0.5:
                    await self._attempt(operation)
                else:
                    await self._people[operation.user].look(operation)

        settled = [item for item in self.history if item.outcome is Outcome.OK]
        chosen = [item for item in settled if self._dice.random() < share]
        await asyncio.gather(*(again(item) for item in chosen))

    async def statements(self) -> list[dict[str, Any]]:
        """What everybody is shown of their wallets."""
        found = await asyncio.gather(*(person.statements() for person in self._people.values()))
        return [statement for of_one in found for statement in of_one]

    async def close(self) -> None:
        """Hang up."""
        for person in self._people.values():
            await person.http.aclose()

    async def _client(self) -> None:
        kinds: list[Callable[[], Awaitable[None]]] = [
            *[self._send] * 4,
            *[self._scan] * 3,
            *[self._show_code] * 4,
            self._withdraw,
            self._too_much,
            self._tight,
            self._nonsense,
            self._same_key_at_once,
            self._same_key_other_body,
            *[self._used_code] * 3,
            self._once_more,
        ]
        while not self._stop.is_set():
            await self._dice.choice(kinds)()
            await asyncio.sleep(self._dice.uniform(0, 2 * _PAUSE_SECONDS))

    def _new(
        self,
        kind: str,
        user: str,
        path: str,
        body: dict[str, Any],
        key: str = "",
        barcode: str = "",
    ) -> Operation:
        key = key or f"{self._run}-{next(self._keys)}"
        operation = Operation(kind, user, key, path, body, barcode)
        self.history.append(operation)
        return operation

    async def _attempt(self, operation: Operation, *, wait: int = 0) -> Answer:
        answer = await self._people[operation.user].attempt(operation, wait=wait)
        if answer.http_status >= 500 and answer.http_status != 503:
            self.surprises.append(f"{answer.http_status} for {operation.kind} {operation.key}")
        return answer

    async def _pursue(self, operation: Operation) -> None:
        """Try a few times, as an app does; what stays open is repeated at the end."""
        for _ in range(_TRIES_AT_ONCE_MAX):
            answer = await self._attempt(operation, wait=self._dice.choice((0, 0, 2)))
            if answer.outcome is not Outcome.UNKNOWN:
                return
            await asyncio.sleep(self._dice.uniform(0.1, 0.5))

    def _payer(self) -> str:
        return self._dice.choice(("alice", "bob"))

    def _amount(self) -> dict[str, Any]:
        return {"amount": self._dice.randint(1, 9), "currency": "USD"}

    async def _send(self) -> None:
        payer = self._payer()
        payee = self._dice.choice([name for name in ("alice", "bob", "cafe") if name != payer])
        await self._pursue(
            self._new("send", payer, "/payments/send", {"to": payee, **self._amount()})
        )

    async def _scan(self) -> None:
        body = {"qr": self._qr, **self._amount()}
        await self._pursue(self._new("scan", self._payer(), "/payments/pay", body))

    async def _show_code(self) -> None:
        shown = await self._people[self._payer()].ask("POST", "/barcodes")
        if shown is None:
            return
        code: str = shown["code"]
        body = {"barcode": code, **self._amount()}
        self._codes.append(code)
        if self._dice.random() < 0.3:  # people queue; whatever is copied meanwhile has it unused
            await asyncio.sleep(self._dice.uniform(0.1, 1.0))
        terminals = [
            self._new("charge", "cafe", "/payments/pay", body, barcode=code)
            for _ in range(self._dice.choice((1, 1, 2, 3)))
        ]
        await asyncio.gather(*(self._pursue(item) for item in terminals))

    async def _used_code(self) -> None:
        """A terminal that reads a screenshot of a code which was shown before."""
        if self._codes:
            code = self._dice.choice(list(self._codes))
            body = {"barcode": code, **self._amount()}
            await self._pursue(self._new("charge", "cafe", "/payments/pay", body, barcode=code))

    async def _once_more(self) -> None:
        """A phone that was in a tunnel, or does not trust the answer it had."""
        recent = self.history[-_REPEATED_OF_LAST:]
        unknown = [item for item in recent if item.outcome is Outcome.UNKNOWN]
        if unknown and self._dice.random() < 0.5:
            await self._pursue(self._dice.choice(unknown))
        elif recent:
            await self._pursue(self._dice.choice(recent))

    async def _withdraw(self) -> None:
        payer = self._payer()
        body = {"bank_account": self._bank_accounts[payer], **self._amount()}
        await self._pursue(self._new("withdraw", payer, "/payments/withdraw", body))

    async def _too_much(self) -> None:
        body = {"to": "cafe", "amount": 900_000_000, "currency": "USD"}
        await self._pursue(self._new("too much", self._payer(), "/payments/send", body))

    async def _tight(self) -> None:
        """Two at once from a wallet that may have enough for one. Euros are used for this only, so
        that all who have some are always close to having none."""
        payer, payee = self._dice.sample(("alice", "bob", "cafe"), 2)
        body = {"to": payee, "amount": self._dice.randint(20_000, 60_000), "currency": "EUR"}
        both = [self._new("tight", payer, "/payments/send", body) for _ in range(2)]
        await asyncio.gather(*(self._pursue(item) for item in both))

    async def _nonsense(self) -> None:
        payer = self._payer()
        to = self._dice.choice((payer, "nobody-at-all"))
        body = {"to": to, **self._amount()}
        await self._pursue(self._new("nonsense", payer, "/payments/send", body))

    async def _same_key_at_once(self) -> None:
        operation = self._new(
            "same key", self._payer(), "/payments/send", {"to": "cafe", **self._amount()}
        )
        await asyncio.gather(*(self._pursue(operation) for _ in range(3)))

    async def _same_key_other_body(self) -> None:
        payer, amount = self._payer(), self._dice.randint(1, 9)
        first, other = (
            {"to": "cafe", "amount": amount + more, "currency": "USD"} for more in (0, 1)
        )
        one = self._new("other body", payer, "/payments/send", first)
        two = self._new("other body", payer, "/payments/send", other, key=one.key)
        await asyncio.gather(self._pursue(one), self._pursue(two))
