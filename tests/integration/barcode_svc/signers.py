"""The key that codes are signed with in tests."""

from __future__ import annotations

from barcode_svc.qr_signer import QrSigner
from chassis.settings import Secret
from tests.integration.barcode_svc.mesh import SIGNING_KEY

SIGNER = QrSigner(signing_key=Secret(SIGNING_KEY))
