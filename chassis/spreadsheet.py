"""Texts of others in a file that a spreadsheet opens: none of them may become a formula."""

from __future__ import annotations

# What makes a spreadsheet take a text for a formula: these, and the wide forms that some fold to
# them; after blanks, too. A tab, a carriage return or a line feed can hide them.
_FORMULA_STARTS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_HIDING_STARTS = ("\t", "\r", "\n")


def guarded(text: str) -> str:
    """The text so that no spreadsheet takes it for a formula: an apostrophe goes before one that
    begins like one. Others are as they are."""
    if text.startswith(_HIDING_STARTS) or text.lstrip().startswith(_FORMULA_STARTS):
        return f"'{text}"
    return text
