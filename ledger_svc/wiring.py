"""How the parts of the process are put together: each gets what it needs, and nothing else."""

from __future__ import annotations

from chassis.audit import rpc as audit_rpc
from chassis.clock import Clock
from chassis.database import Database
from chassis.ids import IdMaker
from chassis.jetstream import JetStream, QueueWatch
from chassis.server import Background, RpcService
from chassis.signing import Signer, read_key
from ledger_svc import rpc
from ledger_svc.bank_statements import rpc as bank_statements_rpc
from ledger_svc.book import rpc as book_rpc
from ledger_svc.catching_up import CatchingUp
from ledger_svc.chart import Chart
from ledger_svc.corrections import rpc as corrections_rpc
from ledger_svc.heads import HeadPublisher
from ledger_svc.posting import POSTING, Posting, posting_consumer
from ledger_svc.readings import Readings
from ledger_svc.reconciliation import rpc as reconciliation_rpc
from ledger_svc.reconciliation.books import Books
from ledger_svc.reconciliation.healing import Healing
from ledger_svc.reconciliation.reconciler import Policy, Reconciler
from ledger_svc.settings import LedgerSettings
from qrpay.payment.v1 import payment_pb2_grpc
from qrpay.wallet.v1 import wallet_pb2_grpc


class Parts:
    """Everything that the process consists of, as far as its roles go."""

    def __init__(
        self,
        settings: LedgerSettings,
        *,
        database: Database,
        jetstream: JetStream,
        payments: payment_pb2_grpc.PaymentServiceStub,
        wallets: wallet_pb2_grpc.WalletServiceStub,
        clock: Clock,
        ids: IdMaker,
    ) -> None:
        self._settings = settings
        self._database = database
        self._jetstream = jetstream
        self._payments = payments
        self._wallets = wallets
        self._clock = clock
        self._ids = ids
        self._signer = Signer(settings.journal_signing_key)
        self.services: list[RpcService] = []
        self.background: list[Background] = []
        if "api" in settings.ledger_roles:
            self.services += [
                self._ledger(),
                self._book(),
                self._bank_statements(),
                self._corrections(),
                audit_rpc.rpc_service(database=database),
            ]
        if "posting" in settings.ledger_roles:
            self.background += self._posting()
        if "reconciler" in settings.ledger_roles:
            self._add_reconciler()

    async def is_ready(self) -> bool:
        """Readers do not need the queue: without it the book is only behind. A process that does
        nothing but post does; its readiness takes no calls away, but a new version that cannot
        reach the queue must not replace one that can."""
        if self._settings.ledger_roles == ("posting",) and not self._jetstream.is_connected:
            return False
        return await self._database.ping()

    def _ledger(self) -> RpcService:
        accepted = map(read_key, self._settings.journal_accepted_keys)
        keys = [self._signer.public_key, *accepted]
        return rpc.rpc_service(database=self._database, keys=keys)

    def _book(self) -> RpcService:
        return book_rpc.rpc_service(book_rpc.BookServicer(database=self._database))

    def _bank_statements(self) -> RpcService:
        return bank_statements_rpc.rpc_service(
            bank_statements_rpc.BankStatementServicer(
                database=self._database,
                clock=self._clock,
                ids=self._ids,
                window_days=self._settings.bank_window_days,
            )
        )

    def _corrections(self) -> RpcService:
        return corrections_rpc.rpc_service(
            corrections_rpc.CorrectionServicer(
                database=self._database, clock=self._clock, ids=self._ids
            )
        )

    def _posting(self) -> list[Background]:
        settings = self._settings
        posting = Posting(
            database=self._database,
            results_per_transaction_max=settings.results_per_transaction_max,
        )
        consumer = posting_consumer(self._jetstream, posting, settings=settings)
        catching_up = CatchingUp(
            database=self._database,
            payments=self._payments,
            wallets=self._wallets,
            every_seconds=settings.catch_up_every_seconds,
            call_seconds_max=settings.call_seconds_max,
        )
        heads = HeadPublisher(
            database=self._database,
            jetstream=self._jetstream,
            signer=self._signer,
            clock=self._clock,
            every_seconds=settings.sign_every_seconds,
        )
        chart = Chart(
            database=self._database,
            wallets=self._wallets,
            every_seconds=settings.catch_up_every_seconds,
            call_seconds_max=settings.call_seconds_max,
        )
        readings = Readings(self._database, every_seconds=settings.readings_every_seconds)
        watch = QueueWatch(
            self._jetstream,
            [POSTING],
            clock=self._clock,
            every_seconds=settings.readings_every_seconds,
        )
        return [
            Background("readings", readings.run),
            Background("queue watch", watch.run),
            Background("posting", consumer.run),
            Background("catching up", catching_up.run),
            Background("signing", heads.run),
            Background("chart", chart.run),
        ]

    def _add_reconciler(self) -> None:
        reconciler = self._reconciler()
        self.background.append(Background("reconciler", reconciler.run))
        self.services.append(
            reconciliation_rpc.rpc_service(
                reconciliation_rpc.ReconciliationServicer(
                    database=self._database,
                    reconciler=reconciler,
                    wallets=self._wallets,
                    clock=self._clock,
                    call_seconds_max=self._settings.call_seconds_max,
                )
            )
        )

    def _reconciler(self) -> Reconciler:
        settings = self._settings
        return Reconciler(
            database=self._database,
            books=Books(
                database=self._database,
                payments=self._payments,
                wallets=self._wallets,
                call_seconds_max=settings.reconcile_call_seconds_max,
            ),
            healing=Healing(
                database=self._database,
                payments=self._payments,
                wallets=self._wallets,
                ids=self._ids,
                clock=self._clock,
                call_seconds_max=settings.call_seconds_max,
            ),
            policy=Policy(
                every_seconds=settings.reconcile_every_seconds,
                settle_seconds=settings.reconcile_settle_seconds,
                stuck_seconds=settings.reconcile_stuck_seconds,
                history_seconds=settings.reconcile_history_seconds,
                second_look_seconds=settings.reconcile_second_look_seconds,
                heals=settings.reconcile_heals,
            ),
            ids=self._ids,
            clock=self._clock,
        )
