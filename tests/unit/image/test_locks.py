"""What is installed where: four locks that must agree."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[3]


def pins(name: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Version and hashes by package."""
    text = (CHECKOUT / name).read_text().replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        pinned = re.match(r"([a-z0-9][a-z0-9._-]*)(?:\[[a-z,]+\])?==(\S+)(.*)", line)
        if pinned:
            package, version, rest = pinned.groups()
            found[package] = version, frozenset(re.findall(r"--hash=(sha256:[0-9a-f]{64})", rest))
    return found


@pytest.mark.parametrize("name", ["requirements.image.lock", "k8s/image/build.lock"])
def test_the_image_has_what_was_tested(name: str) -> None:
    """Goal: the image is made of the very files that the tests ran with, not of newer ones."""
    tested, used = pins("requirements.lock"), pins(name)

    assert used
    assert {package: pin for package, pin in used.items() if tested.get(package) != pin} == {}


@pytest.mark.parametrize(
    "name",
    [
        "requirements.lock",
        "requirements.image.lock",
        "k8s/image/build.lock",
        "k8s/check/tools.lock",
    ],
)
def test_every_package_is_pinned_by_its_content(name: str) -> None:
    """Goal: nobody can put another file in the place of one that we looked at."""
    assert pins(name)
    assert [package for package, (_, hashes) in pins(name).items() if not hashes] == []
    # Where it comes from is the machine's to say.
    assert "://" not in (CHECKOUT / name).read_text()


def test_the_image_has_all_that_runs_and_nothing_else() -> None:
    """Goal: every run-time dependency is in it, and none of the developers' or the local stack's
    own."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    image = pins("requirements.image.lock")

    def names(wanted: list[str]) -> set[str]:
        return {re.split(r"[\[<>=; ]", text)[0] for text in wanted}

    assert names(project["dependencies"]) <= set(image)
    optional = project["optional-dependencies"]
    assert not names(optional["dev"] + optional["embedded"]) & set(image)
