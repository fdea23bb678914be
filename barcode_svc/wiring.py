"""How the parts of the process are put together: each gets what it needs, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from barcode_svc import devices_rpc, merchants_rpc, rpc
from barcode_svc.audit import BARCODE_ACTS, DEVICE_ACTS, MERCHANT_ACTS
from barcode_svc.barcodes import Barcodes
from barcode_svc.blobs import BlobStore, FolderBlobs, S3Blobs
from barcode_svc.codes import CodeSeal
from barcode_svc.devices import Devices
from barcode_svc.drawing import Draughtsman
from barcode_svc.logos import Logos
from barcode_svc.merchants import Merchants
from barcode_svc.offline import OfflineCodes
from barcode_svc.places import Places
from barcode_svc.pool import CodePool
from barcode_svc.qr_signer import QrSigner
from barcode_svc.redemptions import Redemptions
from barcode_svc.scans import ScanMeter
from barcode_svc.settings import BarcodeSettings
from barcode_svc.valkey import Valkey
from chassis.audit import rpc as audit_rpc
from chassis.clock import Clock
from chassis.database import Database
from chassis.ids import IdMaker
from chassis.server import RpcService
from chassis.studio import Studio
from qrpay.barcode.v1 import (
    barcode_pb2,
    barcode_pb2_grpc,
    device_pb2,
    device_pb2_grpc,
    merchant_pb2,
    merchant_pb2_grpc,
)


class Parts:
    """Everything that the process consists of."""

    def __init__(
        self,
        settings: BarcodeSettings,
        *,
        database: Database,
        valkey: Valkey,
        studio: Studio,
        clock: Clock,
        ids: IdMaker,
    ) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        self._ids = ids
        self._seal = CodeSeal(settings.code_hmac_key)
        self._merchants = Merchants(database=database, clock=clock)
        self._logos = Logos(
            merchants=self._merchants,
            blobs=_blobs(settings),
            studio=studio,
            remembered_bytes_max=settings.logos_remembered_bytes_max,
        )
        self.pool = CodePool(
            valkey=valkey,
            seal=self._seal,
            name=ids.make("pol"),
            low=settings.pool_low,
            high=settings.pool_high,
            look_seconds=settings.pool_look_seconds,
        )
        self.services = [self._barcode_service(valkey), self._device_service()]
        self.services.append(self._merchant_service())
        self.services.append(audit_rpc.rpc_service(database=database))

    def _barcode_service(self, valkey: Valkey) -> RpcService:
        settings, clock = self._settings, self._clock
        barcodes = Barcodes(
            valkey=valkey,
            pool=self.pool,
            seal=self._seal,
            clock=clock,
            ids=self._ids,
            limits=settings.limits,
        )
        offline = OfflineCodes(
            database=self._database,
            keys=settings.device_keys,
            seal=self._seal,
            limits=settings.offline_limits,
            clock=clock,
        )
        servicer = rpc.BarcodeServicer(
            barcodes=barcodes,
            redemptions=Redemptions(
                barcodes=barcodes, offline=offline, meter=ScanMeter(monotonic=clock.monotonic)
            ),
            database=self._database,
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
            lifetimes=rpc.QrLifetimes(
                settings.qr_lifetime_seconds, settings.qr_lifetime_seconds_max
            ),
            logos=self._logos,
            clock=clock,
        )
        return RpcService(
            descriptor=barcode_pb2.DESCRIPTOR.services_by_name["BarcodeService"],
            register=barcode_pb2_grpc.add_BarcodeServiceServicer_to_server,
            servicer=servicer,
            allowed_callers=rpc.ALLOWED_CALLERS,
            acts=BARCODE_ACTS,
        )

    def _device_service(self) -> RpcService:
        keys = self._settings.device_keys
        devices = Devices(
            database=self._database,
            keys=keys,
            clock=self._clock,
            ids=self._ids,
            enrolment=timedelta(seconds=self._settings.offline_enrolment_seconds),
            devices_per_owner_max=self._settings.devices_per_owner_max,
        )
        return RpcService(
            descriptor=device_pb2.DESCRIPTOR.services_by_name["DeviceService"],
            register=device_pb2_grpc.add_DeviceServiceServicer_to_server,
            servicer=devices_rpc.DeviceServicer(devices=devices, keys=keys),
            allowed_callers=devices_rpc.ALLOWED_CALLERS,
            acts=DEVICE_ACTS,
        )

    def _merchant_service(self) -> RpcService:
        places = Places(
            database=self._database,
            merchants=self._merchants,
            clock=self._clock,
            ids=self._ids,
            places_max=self._settings.places_per_merchant_max,
        )
        return RpcService(
            descriptor=merchant_pb2.DESCRIPTOR.services_by_name["MerchantService"],
            register=merchant_pb2_grpc.add_MerchantServiceServicer_to_server,
            servicer=merchants_rpc.MerchantServicer(
                merchants=self._merchants, places=places, logos=self._logos
            ),
            allowed_callers=merchants_rpc.ALLOWED_CALLERS,
            acts=MERCHANT_ACTS,
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
