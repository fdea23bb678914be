"""The image's Python part as a bill of materials in CycloneDX: ``python -m k8s.image.sbom FILE``.

Made of requirements.image.lock, so that it has every version and every hash that the build checks.
Debian's packages are in the base image: a scanner reads them there from /var/lib/dpkg, which the
image keeps.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from k8s.check.tools import CHECKOUT, python_tool, run


def make() -> dict[str, Any]:
    """The bill, as JSON."""
    text = run(
        [
            *(python_tool("cyclonedx-py"), "requirements", "requirements.image.lock"),
            *("--pyproject", "pyproject.toml", "--mc-type", "application"),
            # Two builds of one lock give one bill: no serial number, no time.
            *("--output-reproducible", "--output-format", "JSON", "--validate"),
        ],
        folder=CHECKOUT,
    )
    bill: dict[str, Any] = json.loads(text)
    return bill


def main() -> None:
    """Write it, and say what is in it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    file: Path = parser.parse_args().file
    bill = make()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(bill, indent=2) + "\n")
    print(f"{file}: {len(bill['components'])} components", file=sys.stderr)


if __name__ == "__main__":
    main()
