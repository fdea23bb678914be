"""The lists that a merchant's codes are checked against, each read when it is first needed."""

from __future__ import annotations

from functools import cache

import iso18245
import pycountry


@cache
def category_codes() -> frozenset[str]:
    """Merchant category codes (ISO 18245, with those that the card schemes have assigned)."""
    return frozenset(entry.mcc for entry in iso18245.get_all_mccs())


@cache
def country_codes() -> frozenset[str]:
    """ISO 3166-1 alpha-2."""
    return frozenset(country.alpha_2 for country in pycountry.countries)


@cache
def language_codes() -> frozenset[str]:
    """ISO 639-1: the two-letter codes."""
    return frozenset(
        language.alpha_2 for language in pycountry.languages if hasattr(language, "alpha_2")
    )
