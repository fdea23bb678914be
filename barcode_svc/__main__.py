"""The barcode process: one-time barcodes, merchants, their QR codes and their logos."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

from barcode_svc.barcodes import Barcodes
from barcode_svc.blobs import BlobStore, FolderBlobs, S3Blobs
from barcode_svc.codes import CodeSeal
from barcode_svc.drawing import Draughtsman
from barcode_svc.logos import Logos
from barcode_svc.merchants import Merchants
from barcode_svc.merchants_rpc import ALLOWED_CALLERS as MERCHANT_CALLERS
from barcode_svc.merchants_rpc import MerchantServicer
from barcode_svc.places import Places
from barcode_svc.pool import CodePool
from barcode_svc.qr_signer import QrSigner
from barcode_svc.rpc import ALLOWED_CALLERS, BarcodeServicer, QrLifetimes
from barcode_svc.settings import BarcodeSettings
from barcode_svc.studio import Studio
from barcode_svc.valkey import Valkey, open_valkey
from chassis.clock import Clock, SystemClock
from chassis.database import open_database
from chassis.ids import IdMaker
from chassis.logs import configure_logs
from chassis.process import run
from chassis.server import Background, RpcService, serve
from chassis.settings import load_settings
from chassis.telemetry import telemetry
from qrpay.barcode.v1 import (
    barcode_pb2,
    barcode_pb2_grpc,
    merchant_pb2,
    merchant_pb2_grpc,
)


async def main() -> None:
    """Read the settings, open what is needed, serve until told to stop."""
    settings = load_settings(BarcodeSettings)
    configure_logs(service_name="barcode", level=settings.log_level)
    async with AsyncExitStack() as stack:
        stack.enter_context(
            telemetry(
                service_name="barcode",
                endpoint=settings.otel_exporter_otlp_endpoint,
                sample_ratio=settings.otel_traces_sampler_arg,
            )
        )
        database = await stack.enter_async_context(
            open_database(
                settings.database_url,
                application_name="barcode",
                pool_size=settings.database_connections_max,
            )
        )
        valkey = await stack.enter_async_context(
            open_valkey(
                settings.valkey_url,
                client_name="barcode",
                connections_max=settings.valkey_connections_max,
                seconds_max=settings.valkey_seconds_max,
            )
        )
        studio = Studio(
            processes_max=settings.logo_processes_max,
            waiting_max=settings.logo_waiting_max,
            seconds_max=settings.logo_draw_seconds_max,
        )
        stack.push_async_callback(studio.close)
        clock = SystemClock()
        ids = IdMaker(clock=clock)
        barcodes, pool = _barcodes(settings, valkey=valkey, clock=clock, ids=ids)
        merchants = Merchants(database=database, clock=clock)
        logos = Logos(
            merchants=merchants,
            blobs=_blobs(settings),
            studio=studio,
            remembered_bytes_max=settings.logos_remembered_bytes_max,
        )
        places = Places(
            database=database,
            merchants=merchants,
            clock=clock,
            ids=ids,
            places_max=settings.places_per_merchant_max,
        )
        services = [
            RpcService(
                descriptor=barcode_pb2.DESCRIPTOR.services_by_name["BarcodeService"],
                register=barcode_pb2_grpc.add_BarcodeServiceServicer_to_server,
                servicer=BarcodeServicer(
                    barcodes=barcodes,
                    database=database,
                    draughtsman=Draughtsman(
                        remembered_max=settings.drawings_remembered_max,
                        posters_remembered_max=settings.posters_remembered_max,
                        posters_waiting_max=settings.posters_waiting_max,
                    ),
                    signer=QrSigner(
                        signing_key=settings.qr_signing_key,
                        accepted=settings.qr_keys_accepted,
                        unsigned_accepted=settings.qr_unsigned_accepted,
                        remembered_max=settings.qrs_remembered_max,
                    ),
                    lifetimes=QrLifetimes(
                        settings.qr_lifetime_seconds, settings.qr_lifetime_seconds_max
                    ),
                    logos=logos,
                    clock=clock,
                ),
                allowed_callers=ALLOWED_CALLERS,
            ),
            _merchants(merchants, places=places, logos=logos),
        ]
        await serve(
            settings=settings,
            services=services,
            background=[Background("code pool", pool.keep_filled)],
            # The database alone: without Valkey the merchants' printed codes are still read, and
            # taking every process out of service would stop those payments, too.
            readiness=database.ping,
        )


def _barcodes(
    settings: BarcodeSettings, *, valkey: Valkey, clock: Clock, ids: IdMaker
) -> tuple[Barcodes, CodePool]:
    seal = CodeSeal(settings.code_hmac_key)
    pool = CodePool(
        valkey=valkey,
        seal=seal,
        name=ids.make("pol"),
        low=settings.pool_low,
        high=settings.pool_high,
        look_seconds=settings.pool_look_seconds,
    )
    barcodes = Barcodes(
        valkey=valkey, pool=pool, seal=seal, clock=clock, ids=ids, limits=settings.limits
    )
    return barcodes, pool


def _merchants(merchants: Merchants, *, places: Places, logos: Logos) -> RpcService:
    return RpcService(
        descriptor=merchant_pb2.DESCRIPTOR.services_by_name["MerchantService"],
        register=merchant_pb2_grpc.add_MerchantServiceServicer_to_server,
        servicer=MerchantServicer(merchants=merchants, places=places, logos=logos),
        allowed_callers=MERCHANT_CALLERS,
    )


def _blobs(settings: BarcodeSettings) -> BlobStore:
    if not settings.logo_s3_bucket:
        return FolderBlobs(Path(settings.logo_folder))
    return S3Blobs(
        bucket=settings.logo_s3_bucket,
        region=settings.logo_s3_region,
        key_id=settings.logo_s3_key_id,
        key_secret=settings.logo_s3_key_secret,
        endpoint=settings.logo_s3_endpoint,
        seconds_max=settings.logo_store_seconds_max,
    )


if __name__ == "__main__":
    run(main, migrations=Path(__file__).with_name("migrations"))
