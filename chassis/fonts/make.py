"""Cut the printed fonts from Noto Sans: ``python chassis/fonts/make.py`` writes them here.

The original is one variable font of 2 MB with every script that Noto Sans has; fixing a weight
takes seconds, too long for a request. What is kept: Latin with Vietnamese, Greek, Cyrillic,
punctuation and currency signs, at two weights, without hints (paper is not a screen).

Noto Sans is under the SIL Open Font License (``OFL.txt`` beside this file), which allows changed
copies and embedding, and it reserves no name.
"""

from __future__ import annotations

from pathlib import Path

import fontpkg_noto_sans
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from fontTools.varLib.instancer import instantiateVariableFont

SOURCE = fontpkg_noto_sans.ROOT / "files" / "NotoSans[wdth,wght].ttf"
WEIGHTS = {"Regular": 400, "Bold": 700}
CHARACTERS = (
    *range(0x20, 0x7F),
    *range(0xA0, 0x250),  # Latin with all its accents
    *range(0x2B0, 0x530),  # modifiers, combining marks, Greek, Cyrillic
    *range(0x1E00, 0x2000),  # Vietnamese, polytonic Greek
    *range(0x2010, 0x2028),
    *range(0x20A0, 0x20C1),  # currencies
    0x2116,
    0x2122,
)


def main() -> None:
    """Write one file per weight."""
    for name, weight in WEIGHTS.items():
        font = instantiateVariableFont(
            TTFont(SOURCE, recalcTimestamp=False),
            {"wght": weight, "wdth": 100},
            updateFontNames=True,
        )
        subsetter = Subsetter(
            Options(
                hinting=False,
                layout_features=["kern", "mark", "mkmk", "ccmp"],
                name_IDs=[0, 1, 2, 3, 4, 5, 6, 13, 14],
                notdef_outline=True,
                recalc_timestamp=False,
            )
        )
        subsetter.populate(unicodes=CHARACTERS)
        subsetter.subset(font)
        font.save(Path(__file__).with_name(f"NotoSans-{name}.ttf"))


if __name__ == "__main__":
    main()
