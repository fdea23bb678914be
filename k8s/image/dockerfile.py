"""What the Dockerfile says, read so far as our checks and tests need it."""

from __future__ import annotations

import fnmatch
import re
import shlex
from pathlib import Path, PurePosixPath

import msgspec


class Instruction(msgspec.Struct, frozen=True):
    """One instruction, its lines joined."""

    word: str
    rest: str

    @property
    def arguments(self) -> list[str]:
        """Its words, without options."""
        return [word for word in shlex.split(self.rest) if not word.startswith("--")]


class Stage(msgspec.Struct, frozen=True):
    """What follows one FROM."""

    name: str
    base: str
    instructions: list[Instruction]

    def of(self, word: str) -> list[Instruction]:
        """Its instructions of one kind."""
        return [found for found in self.instructions if found.word == word]

    def environment(self) -> dict[str, str]:
        """What its ENV sets."""
        pairs = (word.partition("=") for found in self.of("ENV") for word in found.arguments)
        return {name: value for name, _, value in pairs}


def read_stages(text: str) -> list[Stage]:
    """The stages in their order; what is before the first FROM is left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\s*\n", " ", "\n".join(lines))
    stages: list[Stage] = []
    for line in filter(str.strip, joined.splitlines()):
        word, _, rest = line.strip().partition(" ")
        if word.upper() == "FROM":
            base, *name = re.split(r"\s+AS\s+", rest.strip(), flags=re.IGNORECASE)
            stages.append(Stage(name=name[0] if name else "", base=base, instructions=[]))
        elif stages:
            stages[-1].instructions.append(Instruction(word.upper(), rest.strip()))
    return stages


class Context:
    """Which files of the checkout get into a build, by .dockerignore: the last pattern that fits
    decides."""

    def __init__(self, patterns: str) -> None:
        lines = (line.strip() for line in patterns.splitlines())
        self._patterns = [line for line in lines if line and not line.startswith("#")]

    def holds(self, path: PurePosixPath) -> bool:
        """Whether a file, relative to the checkout, gets in."""
        names = [str(path), *(str(parent) for parent in path.parents if parent.name)]
        inside = True
        for pattern in self._patterns:
            if any(_fits(name, pattern.removeprefix("!")) for name in names):
                inside = pattern.startswith("!")
        return inside

    def files(self, checkout: Path, below: str) -> list[PurePosixPath]:
        """The files of a build at or below a path of the checkout."""
        start = checkout / below
        found = (
            [start] if start.is_file() else [path for path in start.rglob("*") if path.is_file()]
        )
        relative = (PurePosixPath(path.relative_to(checkout).as_posix()) for path in found)
        return sorted(path for path in relative if self.holds(path))


def _fits(name: str, pattern: str) -> bool:
    # A star stays inside one name of the path, two stars at the start are any folders or none.
    if pattern.startswith("**/"):
        return fnmatch.fnmatchcase(PurePosixPath(name).name, pattern.removeprefix("**/"))
    return name.count("/") == pattern.count("/") and fnmatch.fnmatchcase(name, pattern)
