"""EMVCo payment codes: a codec of its own, pure, which knows nothing of who uses it.

``parse`` takes any scheme's merchant-presented payload apart and keeps all that it finds;
``validate`` lists every rule that it breaks; ``build`` makes a valid one from its fields.
``parse_cpm`` and ``validate_cpm`` do the same for what a customer's phone shows.
"""

from __future__ import annotations

from barcode_svc.emvco.build import (
    Account,
    AdditionalData,
    Language,
    MerchantPresented,
    Template,
    build,
)
from barcode_svc.emvco.cpm import (
    Application,
    BerObject,
    ConsumerPresented,
    is_cpm,
    name_of_tag,
    parse_cpm,
    validate_cpm,
)
from barcode_svc.emvco.errors import PARSE_ERRORS, BuildError, EmvcoError, Violation
from barcode_svc.emvco.rules import is_printable, name_of
from barcode_svc.emvco.tlv import DataObject, Payload, checksum, parse, scan_text
from barcode_svc.emvco.validate import validate

__all__ = [
    "PARSE_ERRORS",
    "Account",
    "AdditionalData",
    "Application",
    "BerObject",
    "BuildError",
    "ConsumerPresented",
    "DataObject",
    "EmvcoError",
    "Language",
    "MerchantPresented",
    "Payload",
    "Template",
    "Violation",
    "build",
    "checksum",
    "is_cpm",
    "is_printable",
    "name_of",
    "name_of_tag",
    "parse",
    "parse_cpm",
    "scan_text",
    "validate",
    "validate_cpm",
]
