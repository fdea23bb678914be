"""Opening, reading, freezing and closing wallets, and finding what people mean by a reference."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Database
from chassis.errors import InvalidArgument, ServiceError
from chassis.ids import IdMaker
from chassis.money import CURRENCIES
from wallet_svc.errors import CurrencyMismatch, OwnerNotFound, WalletNotFound
from wallet_svc.model.owners import is_handle, is_plausible_id
from wallet_svc.model.records import (
    OWNER_ID_PREFIXES,
    SYSTEM_OWNER_IDS,
    SYSTEM_OWNER_PREFIX,
    Entry,
    Owner,
    OwnerKind,
    Wallet,
    WalletStatus,
)
from wallet_svc.model.wallets import decide_status
from wallet_svc.store import owners as owner_store
from wallet_svc.store import transfers as transfer_store
from wallet_svc.store import wallets as wallet_store
from wallet_svc.store.transfers import Border
from wallet_svc.store.wallets import Meaning, NewWallet, Reference

_WALLET_ID_PREFIX = "wal"
_OWNER_ID_PREFIXES = (
    *(f"{prefix}_" for prefix in OWNER_ID_PREFIXES.values()),
    SYSTEM_OWNER_PREFIX,
)


_Resolve = Callable[[AsyncConnection, Collection[Reference]], Awaitable[dict[Reference, Meaning]]]


class Resolution(NamedTuple):
    """What a reference means: a wallet with its owner, or an error -- with the owner if known."""

    wallet: Wallet | None
    owner: Owner | None
    error: ServiceError | None


class EntryPage(NamedTuple):
    """Some entries in order of number, and whether there are more."""

    entries: list[Entry]
    has_more: bool


class EntrySpan(NamedTuple):
    """The entries of a span of time: those behind ``before`` up to ``last``."""

    owner: Owner
    wallet_id: str
    before: Border
    last: Border


def new_wallets(owner_id: str, currency_codes: Iterable[str], *, ids: IdMaker) -> list[NewWallet]:
    """Wallets to be opened for an owner, and the system's own in the same currencies.

    Money of a currency comes from and goes to the system's wallets, so they exist from the first
    moment that somebody has a wallet in it.
    """
    return [
        NewWallet(ids.make(_WALLET_ID_PREFIX), holder_id, currency_code)
        for currency_code in currency_codes
        for holder_id in dict.fromkeys([owner_id, *SYSTEM_OWNER_IDS])
    ]


async def open_wallet(
    owner_id: str, currency_code: str, *, database: Database, ids: IdMaker
) -> Wallet:
    """The owner's wallet in this currency, opened if there is none.

    Raises ``OwnerNotFound``, and ``InvalidArgument`` for an operator, who has no wallets.
    """
    opened = new_wallets(owner_id, [currency_code], ids=ids)

    async def work(connection: AsyncConnection) -> Wallet:
        owner = await owner_store.owner_by_id(connection, owner_id)
        if owner is None:
            raise OwnerNotFound(owner_id=owner_id)
        if owner.kind is OwnerKind.OPERATOR:
            raise InvalidArgument([("owner_id", "must not be an operator: it has no wallets")])
        await wallet_store.insert_wallets(connection, opened)
        wallet = await wallet_store.wallet_of_owner(connection, owner_id, currency_code)
        assert wallet is not None, "it was there, or we have just opened it"
        return wallet

    if not is_plausible_id(owner_id):
        raise OwnerNotFound
    return await database.transaction(work)


async def change_status(wallet_id: str, wanted: WalletStatus, *, database: Database) -> Wallet:
    """Freeze, unfreeze or close a wallet; the wallet as it is then.

    Raises ``WalletNotFound`` and what ``decide_status`` raises.
    """

    async def work(connection: AsyncConnection) -> Wallet:
        # Locked, so that no transfer is in flight while its rules change.
        wallet = (await wallet_store.lock_wallets(connection, [wallet_id])).get(wallet_id)
        if wallet is None:
            raise WalletNotFound(wallet_id=wallet_id)
        status = decide_status(wallet, wanted)
        if status is not wallet.status:
            await wallet_store.set_status(connection, wallet_id, status)
        return msgspec.structs.replace(wallet, status=status)

    if not is_plausible_id(wallet_id):
        raise WalletNotFound
    return await database.transaction(work)


async def batch_get_wallets(wallet_ids: Sequence[str], *, database: Database) -> list[Wallet]:
    """The wallets with these ids, in this order. Raises ``WalletNotFound`` if one is missing."""

    async def work(connection: AsyncConnection) -> dict[str, Wallet]:
        return await wallet_store.wallets_by_id(connection, asked)

    asked = set(wallet_ids)
    if not all(is_plausible_id(wallet_id) for wallet_id in asked):
        raise WalletNotFound
    found = await database.read(work)
    for wallet_id in wallet_ids:
        if wallet_id not in found:
            raise WalletNotFound(wallet_id=wallet_id)
    return [found[wallet_id] for wallet_id in wallet_ids]


async def list_wallets(owner_id: str, *, database: Database) -> list[Wallet]:
    """All wallets of an owner, by currency code. Raises ``OwnerNotFound``."""

    async def work(connection: AsyncConnection) -> list[Wallet]:
        wallets = await wallet_store.wallets_of_owner(connection, owner_id)
        if not wallets and await owner_store.owner_by_id(connection, owner_id) is None:
            raise OwnerNotFound(owner_id=owner_id)
        return wallets

    if not is_plausible_id(owner_id):
        raise OwnerNotFound
    return await database.read(work)


async def list_entries(
    owner_id: str, currency_code: str, *, after_number: int, count_max: int, database: Database
) -> EntryPage:
    """The owner's entries with a higher number than ``after_number``, at most ``count_max``.

    Raises ``OwnerNotFound``, and ``CurrencyMismatch`` if the owner has no wallet in this currency.
    """

    async def work(connection: AsyncConnection) -> EntryPage:
        wallet = await wallet_store.wallet_of_owner(connection, owner_id, currency_code)
        if wallet is None:
            if await owner_store.owner_by_id(connection, owner_id) is None:
                raise OwnerNotFound(owner_id=owner_id)
            raise CurrencyMismatch(owner_id=owner_id, currency_code=currency_code)
        # One more than asked for tells whether there is another page.
        entries = await transfer_store.list_entries(
            connection, wallet.id, after_number=after_number, count_max=count_max + 1
        )
        return EntryPage(entries[:count_max], len(entries) > count_max)

    if not is_plausible_id(owner_id):
        raise OwnerNotFound
    return await database.read(work)


async def get_entry_span(
    owner_id: str,
    currency_code: str,
    *,
    start_time: datetime,
    end_time: datetime,
    database: Database,
) -> EntrySpan:
    """Which of the owner's entries are from ``start_time`` on and before ``end_time``.

    Raises ``OwnerNotFound``, and ``CurrencyMismatch`` if the owner has no wallet in this currency.
    """

    async def work(connection: AsyncConnection) -> EntrySpan:
        owner = await owner_store.owner_by_id(connection, owner_id)
        if owner is None:
            raise OwnerNotFound(owner_id=owner_id)
        wallet = await wallet_store.wallet_of_owner(connection, owner_id, currency_code)
        if wallet is None:
            raise CurrencyMismatch(owner_id=owner_id, currency_code=currency_code)
        before = await transfer_store.border(connection, wallet, start_time)
        last = await transfer_store.border(connection, wallet, end_time)
        # A clock that had gone back could put them the other way round.
        return EntrySpan(owner, wallet.id, before, max(before, last))

    if not is_plausible_id(owner_id):
        raise OwnerNotFound
    return await database.read(work)


async def resolve_wallets(
    references: Sequence[Reference], *, database: Database
) -> list[Resolution]:
    """What each reference means, in request order; its error is its own.

    Item errors: ``OwnerNotFound`` (also for a text that cannot be a reference) and
    ``CurrencyMismatch``.
    """
    asked = [_searchable(reference) for reference in references]
    groups: dict[_Resolve, set[Reference]] = {}
    for reference in asked:
        if resolve := _resolve_for(reference.text):
            groups.setdefault(resolve, set()).add(reference)

    async def work(connection: AsyncConnection) -> dict[Reference, Meaning]:
        meanings: dict[Reference, Meaning] = {}
        for resolve, group in groups.items():
            meanings.update(await resolve(connection, group))
        return meanings

    meanings = await database.read(work) if groups else {}
    return [_resolution(reference, meanings.get(reference)) for reference in asked]


def _searchable(reference: Reference) -> Reference:
    """The reference without what no wallet can have."""
    text = reference.text if is_plausible_id(reference.text) else ""
    currency_code = reference.currency_code if reference.currency_code in CURRENCIES else ""
    return Reference(text, currency_code)


def _resolve_for(text: str) -> _Resolve | None:
    # The three forms cannot be taken for each other: no handle begins like an id.
    if text.startswith(f"{_WALLET_ID_PREFIX}_"):
        return wallet_store.resolve_wallet_ids
    if text.startswith(_OWNER_ID_PREFIXES):
        return wallet_store.resolve_owner_ids
    return wallet_store.resolve_handles if is_handle(text) else None


def _resolution(reference: Reference, meaning: Meaning | None) -> Resolution:
    if meaning is None:
        return Resolution(None, None, OwnerNotFound(reference=reference.text))
    if meaning.wallet is None:
        mismatch = CurrencyMismatch(
            owner_id=meaning.owner.id, currency_code=reference.currency_code
        )
        return Resolution(None, meaning.owner, mismatch)
    return Resolution(meaning.wallet, meaning.owner, None)
