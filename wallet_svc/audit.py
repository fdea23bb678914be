"""What is recorded of the calls of WalletService."""

from __future__ import annotations

from collections.abc import Mapping

from chassis.audit.acts import Act, change, read

WALLET_ACTS: Mapping[str, Act] = {
    "CreateOwner": change(made=["owner.id", "wallets.id"]),
    "GetOwner": read("owner_id"),
    "OpenWallet": change("owner_id", made=["wallet.id"]),
    "FreezeWallet": change("wallet_id"),
    "UnfreezeWallet": change("wallet_id"),
    "CloseWallet": change("wallet_id"),
    # By handle or id: what is a handle is withheld.
    "ResolveWallets": read("references.reference"),
    "BatchGetWallets": read("wallet_ids"),
    "ListWallets": read("owner_id"),
    "ListEntries": read("owner_id"),
    "GetEntrySpan": read("owner_id"),
    "ExecuteTransfers": change("transfers.payment_id", results="results"),
    "CancelTransfers": change("transfers.payment_id", results="results"),
    "BatchGetTransfers": read("payment_ids"),
    "DigestTransfers": read(),
    "ListTransferRecords": read(),
    "DigestBalances": read(),
    "ListBalanceRecords": read(),
    "ListNewestMoves": read("wallet_id"),
}
