"""The two images of a customer's code, drawn in some tens of microseconds: each is seen once.

A QR encoder takes milliseconds, most of them for work that is the same for all codes of 18 digits:
they all are version 1 (21 x 21 modules), numeric mode, error level Q. And a QR code is linear: its
bits, error correction included, are the exclusive or of what each bit of the text contributes. So
an encoder of the market is asked once for the code of eighteen zeros and once for each bit of the
six groups of three digits; after that a code is six table look-ups. Of the eight masks the one with
the least penalty is taken, as ISO/IEC 18004 (7.8.3) asks, on all modules at a time.

Numeric mode and not bytes as in merchants' codes (EMVCo's rule is for those): the modules come out
a fifth larger on the same screen, and level Q mends a quarter of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby

import segno

from barcode_svc import code128
from barcode_svc.images import (
    CODE128_HEIGHT_MODULES,
    CODE128_MODULE_PIXELS,
    CODE128_QUIET_ZONE_MODULES,
    QR_MODULE_PIXELS,
    QR_QUIET_ZONE_MODULES,
)

_SIZE = 21
_MODULES = _SIZE * _SIZE
_ALL = (1 << _MODULES) - 1
_ROW = (1 << _SIZE) - 1
_HALF_BITS = 11
_GROUPS = 6
_GROUP_BITS = 10
_MASKS = 8
_FORM = re.compile(r"[0-9]{18}")
_LANE_BITS = 448
"""A symbol's 441, and as many as make whole bytes."""
_EACH_LANE = sum(1 << mask * _LANE_BITS for mask in range(_MASKS))


class QuickImages:
    """Draws codes of 18 digits. Making one takes about a tenth of a second, drawing a code little.

    Modules of a symbol are the bits of one number, row by row from the highest; 1 is dark.
    """

    def __init__(self) -> None:
        self._bases = sum(
            _encode([0] * _GROUPS, mask=mask) << mask * _LANE_BITS for mask in range(_MASKS)
        )
        self._parts = [_parts_of_group(group) for group in range(_GROUPS)]
        self._left = [_strokes(bits, _HALF_BITS) for bits in range(1 << _HALF_BITS)]
        self._right = [
            _strokes(bits, _SIZE - _HALF_BITS) for bits in range(1 << (_SIZE - _HALF_BITS))
        ]
        self._row_starts = [
            f"M{QR_QUIET_ZONE_MODULES} {row + QR_QUIET_ZONE_MODULES}.5" for row in range(_SIZE)
        ]
        edge = _SIZE + 2 * QR_QUIET_ZONE_MODULES
        self._qr_head = _head(edge, edge, module_pixels=QR_MODULE_PIXELS, stroke=1)
        self._line_head, self._start, self._pairs, self._end = _code128_parts()

    def qr_svg(self, digits: str) -> str:
        """18 digits as a QR code, ``image/svg+xml``."""
        modules, _ = self.modules(digits)
        left, right, low_bits = self._left, self._right, _SIZE - _HALF_BITS
        pieces = [self._qr_head]
        for row, start in enumerate(self._row_starts):
            bits = (modules >> (_SIZE - 1 - row) * _SIZE) & _ROW
            pieces += (start, left[bits >> low_bits], right[bits & ((1 << low_bits) - 1)])
        pieces.append('"/></svg>')
        return "".join(pieces)

    def code128_svg(self, digits: str) -> str:
        """18 digits as Code 128, ``image/svg+xml``. They are not printed below it."""
        values = code128.symbol_values(digits)
        return "".join(
            [self._line_head, self._start, *(self._pairs[value] for value in values[1:]), self._end]
        )

    def modules(self, digits: str) -> tuple[int, int]:
        """The symbol, and the number of its mask."""
        assert _FORM.fullmatch(digits), "18 digits"
        content = 0
        for group in range(_GROUPS):
            content ^= self._parts[group][int(digits[3 * group : 3 * group + 3])]
        points = penalties(self._bases ^ content * _EACH_LANE)
        mask = points.index(min(points))
        return (self._bases >> mask * _LANE_BITS) & _ALL ^ content, mask


def penalties(symbols: int) -> list[int]:
    """How badly each of eight symbols can be read: ISO/IEC 18004, 7.8.3.1, all four rules.

    They lie side by side in one number, the first in its lowest 56 bytes, so that one operation
    looks at all modules of all of them.
    """
    light = symbols ^ _ALL * _EACH_LANE
    points = [10 * (abs(dark * 20 - _MODULES * 10) // _MODULES) for dark in _count(symbols)]
    alike = []
    for step in (1, _SIZE):
        # Where a module has the shade of the next; where a run of five begins; the first of a run.
        same = ~(symbols ^ symbols >> step)
        alike.append(same)
        two = same & same >> step
        five = two & two >> 2 * step & _FITS[step, 5]
        first = five & ~(five << step)
        found = _finder_like(symbols, light, step)
        for lane, (length, run, finder) in enumerate(
            zip(_count(five), _count(first), _count(found), strict=True)
        ):
            points[lane] += length + 2 * run + 40 * finder
    across, down = alike
    blocks = across & across >> _SIZE & down & _FITS[1, 2] & _FITS[_SIZE, 2]
    return [points[lane] + 3 * number for lane, number in enumerate(_count(blocks))]


def _finder_like(dark: int, light: int, step: int) -> int:
    """Where 1011101 begins that has four light modules on one of its sides."""
    core = dark & light >> step & dark >> 2 * step & dark >> 3 * step
    core &= dark >> 4 * step & light >> 5 * step & dark >> 6 * step
    two = light & light >> step
    four = two & two >> 2 * step
    return (core & four >> 7 * step | core >> 4 * step & four) & _FITS[step, 11]


def _count(symbols: int) -> list[int]:
    """Modules that are set, of each symbol."""
    octets = symbols.to_bytes(_MASKS * _LANE_BITS // 8, "little")
    return [
        int.from_bytes(octets[start : start + _LANE_BITS // 8], "little").bit_count()
        for start in range(0, len(octets), _LANE_BITS // 8)
    ]


def _fitting(step: int, length: int) -> int:
    """Where a pattern's lowest module can stand so that all of it lies in one row or column."""
    last = _SIZE - length
    return _EACH_LANE * sum(
        1 << place
        for place in range(_MODULES)
        if (place % _SIZE if step == 1 else place // _SIZE) <= last
    )


_FITS = {(step, length): _fitting(step, length) for step in (1, _SIZE) for length in (2, 5, 11)}


def _encode(groups: Sequence[int], *, mask: int) -> int:
    symbol = segno.make(
        "".join(f"{group:03}" for group in groups),
        mode="numeric",
        version=1,
        error="q",
        mask=mask,
        micro=False,
        boost_error=False,
    )
    return int("".join("01"[module & 1] for row in symbol.matrix for module in row), 2)


def _parts_of_group(group: int) -> list[int]:
    """What each of the values 0 to 999 of a group of three digits contributes."""
    base = _encode([0] * _GROUPS, mask=0)
    bits = []
    for bit in range(_GROUP_BITS):
        groups = [0] * _GROUPS
        groups[group] = 1 << bit
        bits.append(_encode(groups, mask=0) ^ base)
    parts = [0] * 1000
    for value in range(1, 1000):
        lowest = value & -value
        parts[value] = parts[value ^ lowest] ^ bits[lowest.bit_length() - 1]
    return parts


def _strokes(bits: int, length: int) -> str:
    """A piece of a row, from its beginning to its end: "h" draws dark modules, "m" skips light."""
    return "".join(
        f"h{count}" if module == "1" else f"m{count} 0"
        for module, count in (
            (module, sum(1 for _ in run)) for module, run in groupby(f"{bits:0{length}b}")
        )
    )


def _head(width: int, height: int, *, module_pixels: int, stroke: int) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width * module_pixels}"'
        f' height="{height * module_pixels}" viewBox="0 0 {width} {height}"'
        f' shape-rendering="crispEdges"><path fill="#fff" d="M0 0h{width}v{height}H0z"/>'
        f'<path stroke="#000" stroke-width="{stroke}" d="'
    )


def _code128_parts() -> tuple[str, str, list[str], str]:
    """What comes before, the start character, each character of set C, the stop character."""
    symbols = [_bars(code128.widths(value)) for value in range(code128.START_C + 1)]
    width = code128.SYMBOL_CHARACTER_MODULES * 12 + 2 + 2 * CODE128_QUIET_ZONE_MODULES
    height = CODE128_HEIGHT_MODULES
    head = _head(width, height, module_pixels=CODE128_MODULE_PIXELS, stroke=height)
    head += f"M{CODE128_QUIET_ZONE_MODULES} {height // 2}"
    return head, symbols[code128.START_C], symbols, _bars(code128.STOP_WIDTHS) + '"/></svg>'


def _bars(widths: str) -> str:
    return "".join(
        f"m{width} 0" if place % 2 else f"h{width}" for place, width in enumerate(widths)
    )
