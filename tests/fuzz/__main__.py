"""Payment codes, changed at random for some minutes: `make fuzz MINUTES=10 SEED=7`.

Starts from sound codes (built ones, and published ones where they are at hand), changes them the
way that misreading and malice do -- characters, whole objects, lengths, with and without a right
checksum afterwards -- and asks of every text what must be true of any. A failure prints the text
and the seed of its round; the same seed gives the same texts.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from collections import Counter
from pathlib import Path

from barcode_svc import emvco
from tests.fuzz.changes import change
from tests.fuzz.claims import check
from tests.unit.barcode_svc.emvco_texts import MERCHANT, SAMPLE
from tests.unit.barcode_svc.payloads import SOUND
from tests.unit.barcode_svc.test_emvco_cpm import APPLICATION, shown

_ROUND_TEXTS = 1000
_KEPT_MAX = 2000


def seeds() -> list[str]:
    """Sound codes to start from."""
    found = [emvco.build(MERCHANT), SAMPLE, SOUND, shown(APPLICATION, APPLICATION)]
    collection = Path(os.environ.get("QRPAY_SHARED", "../shared")) / "emv-vectors.json"
    if collection.is_file():
        found += [item["payload"] for item in json.loads(collection.read_text())]
    return found


def run(*, minutes: float, seed: int) -> Counter[str]:
    """Fuzz, and count the outcomes. Texts with a new outcome become starting points themselves."""
    corpus = seeds()
    outcomes: Counter[str] = Counter()
    slowest = 0.0
    end = time.monotonic() + minutes * 60
    number = 0
    while time.monotonic() < end:
        chance = random.Random(f"{seed}/{number}")
        for _ in range(_ROUND_TEXTS):
            text = change(chance.choice(corpus), corpus, chance)
            begin = time.thread_time()
            try:
                outcome = check(text)
            except Exception:
                print(f"seed {seed}, round {number}: {text!r}")
                raise
            slowest = max(slowest, time.thread_time() - begin)
            if outcome not in outcomes and len(corpus) < _KEPT_MAX:
                corpus.append(text)
            outcomes[outcome] += 1
        number += 1
    print(f"{outcomes.total():,} texts in {minutes:g} minutes, {len(outcomes)} outcomes,", end=" ")
    print(f"{len(corpus)} starting points; slowest: {slowest * 1000:.2f} ms of CPU (all checks)")
    return outcomes


def main() -> None:
    """Read the arguments; exit 1 by the exception of the first failure."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    for outcome, count in run(minutes=arguments.minutes, seed=arguments.seed).most_common(40):
        print(f"{count:>12,}  {outcome}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
