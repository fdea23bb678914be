"""Bank accounts that the caller may withdraw to."""

from __future__ import annotations

from gateway import answers
from gateway.bodies import BankAccountBody
from gateway.operation import Call, Reply
from gateway.replies import json_reply
from gateway.upstream import Upstream
from qrpay.payment.v1 import payment_pb2


class BankAccountsApi:
    """Handlers of /bank-accounts."""

    def __init__(self, *, upstream: Upstream) -> None:
        self._upstream = upstream

    async def create(self, call: Call) -> Reply:
        """POST /bank-accounts. The same IBAN again is the same account."""
        body: BankAccountBody = call.body
        response = await self._upstream.call(
            self._upstream.payment.CreateBankAccount,
            payment_pb2.CreateBankAccountRequest(
                owner_id=call.user.id, holder=body.holder, iban=body.iban
            ),
        )
        return json_reply(_answer(response.bank_account), status=201)

    async def list_accounts(self, call: Call) -> Reply:
        """GET /bank-accounts."""
        response = await self._upstream.call(
            self._upstream.payment.ListBankAccounts,
            payment_pb2.ListBankAccountsRequest(owner_id=call.user.id),
        )
        return json_reply(
            answers.BankAccounts(items=[_answer(it) for it in response.bank_accounts])
        )


def _answer(account: payment_pb2.BankAccount) -> answers.BankAccount:
    return answers.BankAccount(id=account.id, holder=account.holder, iban=account.masked_iban)
