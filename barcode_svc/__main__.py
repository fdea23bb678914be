"""The barcode process: one-time barcodes, merchants and their QR codes."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

from barcode_svc import devices_rpc
from barcode_svc.barcodes import Barcodes
from barcode_svc.codes import CodeSeal
from barcode_svc.device_keys import DeviceKeys
from barcode_svc.devices import Devices
from barcode_svc.devices_rpc import DeviceServicer
from barcode_svc.drawing import Draughtsman
from barcode_svc.offline import OfflineCodes
from barcode_svc.pool import CodePool
from barcode_svc.redemptions import Redemptions
from barcode_svc.rpc import ALLOWED_CALLERS, BarcodeServicer
from barcode_svc.scans import ScanMeter
from barcode_svc.settings import BarcodeSettings
from barcode_svc.valkey import Valkey, open_valkey
from chassis.clock import SystemClock
from chassis.database import Database, open_database
from chassis.ids import IdMaker
from chassis.logs import configure_logs
from chassis.process import run
from chassis.server import Background, RpcService, serve
from chassis.settings import load_settings
from chassis.telemetry import telemetry
from qrpay.barcode.v1 import barcode_pb2, barcode_pb2_grpc, device_pb2, device_pb2_grpc


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
        await _serve(settings, database=database, valkey=valkey)


async def _serve(settings: BarcodeSettings, *, database: Database, valkey: Valkey) -> None:
    clock = SystemClock()
    ids = IdMaker(clock=clock)
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
    keys = settings.device_keys
    offline = OfflineCodes(
        database=database, keys=keys, seal=seal, limits=settings.offline_limits, clock=clock
    )
    servicer = BarcodeServicer(
        barcodes=barcodes,
        redemptions=Redemptions(
            barcodes=barcodes, offline=offline, meter=ScanMeter(monotonic=clock.monotonic)
        ),
        database=database,
        draughtsman=Draughtsman(remembered_max=settings.drawings_remembered_max),
        clock=clock,
    )
    devices = Devices(
        database=database,
        keys=keys,
        clock=clock,
        ids=ids,
        enrolment=timedelta(seconds=settings.offline_enrolment_seconds),
        devices_per_owner_max=settings.devices_per_owner_max,
    )
    await serve(
        settings=settings,
        services=[_barcode_service(servicer), _device_service(devices, keys)],
        background=[Background("code pool", pool.keep_filled)],
        # The database alone: without Valkey the merchants' printed codes are still read, and
        # taking every process out of service would stop those payments, too.
        readiness=database.ping,
    )


def _barcode_service(servicer: BarcodeServicer) -> RpcService:
    return RpcService(
        descriptor=barcode_pb2.DESCRIPTOR.services_by_name["BarcodeService"],
        register=barcode_pb2_grpc.add_BarcodeServiceServicer_to_server,
        servicer=servicer,
        allowed_callers=ALLOWED_CALLERS,
    )


def _device_service(devices: Devices, keys: DeviceKeys) -> RpcService:
    return RpcService(
        descriptor=device_pb2.DESCRIPTOR.services_by_name["DeviceService"],
        register=device_pb2_grpc.add_DeviceServiceServicer_to_server,
        servicer=DeviceServicer(devices=devices, keys=keys),
        allowed_callers=devices_rpc.ALLOWED_CALLERS,
    )


if __name__ == "__main__":
    run(main, migrations=Path(__file__).with_name("migrations"))
