"""Code 128 for digits: which modules are dark. ISO/IEC 15417, code set C only.

Written here because the common library drops the first two digits of a code that begins with
"99", and then draws another code: one in a hundred of ours.
"""

from __future__ import annotations

import re

# Widths of three bars and three spaces of symbol characters 0 to 105: ISO/IEC 15417, table 1.
_WIDTHS_TABLE = """
212222 222122 222221 121223 121322 131222 122213 122312 132212 221213
221312 231212 112232 122132 122231 113222 123122 123221 223211 221132
221231 213212 223112 312131 311222 321122 321221 312212 322112 322211
212123 212321 232121 111323 131123 131321 112313 132113 132311 211313
231113 231311 112133 112331 132131 113123 113321 133121 313121 211331
231131 213113 213311 213131 311123 311321 331121 312113 312311 332111
314111 221411 431111 111224 111422 121124 121421 141122 141221 112214
112412 122114 122411 142112 142211 241211 221114 413111 241112 134111
111242 121142 121241 114212 124112 124211 411212 421112 421211 212141
214121 412121 111143 111341 131141 114113 114311 411113 411311 113141
114131 311141 411131 211412 211214 211232
"""
_WIDTHS = _WIDTHS_TABLE.split()
START_C = 105
STOP_WIDTHS = "2331112"
SYMBOL_CHARACTER_MODULES = 11
_CHECK_MODULUS = 103

_DIGIT_PAIRS = re.compile(r"(?:[0-9]{2})+")


def modules(digits: str) -> str:
    """The symbol from its first to its last bar, without quiet zones: "1" is dark, "0" is light.

    ``digits``: an even number of them, since code set C spells pairs.
    """
    bars = "".join(map(widths, symbol_values(digits))) + STOP_WIDTHS
    return "".join("10"[place % 2] * int(width) for place, width in enumerate(bars))


def symbol_values(digits: str) -> list[int]:
    """Start character, pairs of digits and check character (ISO/IEC 15417, 4.3.4)."""
    assert _DIGIT_PAIRS.fullmatch(digits), "code set C spells pairs of digits"
    pairs = [int(digits[place : place + 2]) for place in range(0, len(digits), 2)]
    check = (START_C + sum(place * pair for place, pair in enumerate(pairs, 1))) % _CHECK_MODULUS
    return [START_C, *pairs, check]


def widths(value: int) -> str:
    """Three bars and three spaces in turn, each 1 to 4 modules wide."""
    return _WIDTHS[value]
