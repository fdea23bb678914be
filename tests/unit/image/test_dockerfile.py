"""The Dockerfile, read: who it runs as, what gets into a build, what may not be in it."""

from __future__ import annotations

import subprocess
from pathlib import Path, PurePosixPath

from k8s.image.dockerfile import Context, read_stages

CHECKOUT = Path(__file__).parents[3]
TEXT = (CHECKOUT / "Dockerfile").read_text()
STAGES = {stage.name: stage for stage in read_stages(TEXT)}
CONTEXT = Context((CHECKOUT / ".dockerignore").read_text())
SERVICES = ("chassis", "gateway", "wallet_svc", "payment_svc", "ledger_svc", "barcode_svc")


def tracked(*folders: str) -> list[PurePosixPath]:
    """The files of folders that git knows."""
    found = subprocess.run(
        ["git", "ls-files", *folders], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    return [PurePosixPath(line) for line in found.stdout.splitlines()]


def test_a_file_is_read_by_stage_and_instruction() -> None:
    """Goal: joined lines, comments between them, and options are understood as Docker does."""
    stages = read_stages(
        "ARG A=1\nFROM a:1 AS one\nRUN x \\\n # why\n  && y\n"
        "FROM one\nCOPY --from=one /a /b\nENV C=d E=f\n"
    )

    assert [(stage.name, stage.base) for stage in stages] == [("one", "a:1"), ("", "one")]
    assert stages[0].of("RUN")[0].rest.split() == ["x", "&&", "y"]
    assert stages[1].of("COPY")[0].arguments == ["/a", "/b"]
    assert stages[1].environment() == {"C": "d", "E": "f"}


def test_the_last_pattern_that_fits_decides() -> None:
    """Goal: what is let in and what is taken out again, as .dockerignore has it."""
    context = Context("*\n!one\n!two/three\n**/*.pyc\none/not.py\n# !four\n")

    inside = ["one/a.py", "one/b/c.py", "two/three/d.py"]
    outside = ["four", "one/a.pyc", "one/b/c.pyc", "one/not.py", "two/four/e.py", "three/one"]
    assert [path for path in inside + outside if context.holds(PurePosixPath(path))] == inside


def test_it_runs_as_nobody_in_particular() -> None:
    """Goal: the user is a number above those of any machine, so that Kubernetes can see that it is
    not root, and it is not changed back."""
    image = STAGES["image"]

    assert [found.rest for found in image.of("USER")] == ["10001:10001"]
    assert image.base == "scratch"
    assert image.of("RUN") == image.of("ENTRYPOINT") == []


def test_the_base_is_pinned() -> None:
    """Goal: every stage that starts from a foreign image starts from the same full version."""
    pinned = [line for line in TEXT.splitlines() if line.startswith("ARG PYTHON_IMAGE=")]

    assert len(pinned) == 1
    assert pinned[0].count(".") == 2
    assert ":latest" not in TEXT
    own = {*STAGES, "scratch"}
    assert {stage.base for stage in STAGES.values()} - own == {"${PYTHON_IMAGE}"}


def test_the_build_gets_all_of_the_services() -> None:
    """Goal: no file of a service, its migrations, fonts, scripts, is forgotten on the way in."""
    missing = [
        str(path)
        for path in tracked(*SERVICES, "protos/qrpay")
        if not CONTEXT.holds(path)
        and path.suffix != ".proto"
        and path != PurePosixPath("chassis/fonts/make.py")
    ]
    copied = {word for found in STAGES["build"].of("COPY") for word in found.arguments[:-1]}

    assert missing == []
    assert {*SERVICES, "protos"} <= copied


def test_the_build_gets_nothing_else() -> None:
    """Goal: no test, no tool of ours, no history, no secret that lies about gets near an image."""
    for path in (
        *(".git/config", ".env", ".qrpay/secrets/journal-signing.key", "wallet_svc.key"),
        *("tests/conftest.py", "cli/main.py", "embedded/tokens.py", "bench/load.py"),
        *("requirements.lock", "Makefile", "k8s/check/tools.lock", ".venv/bin/python"),
        *("wallet_svc/__pycache__/rpc.cpython-311.pyc", "protos/generate.py"),
    ):
        assert not CONTEXT.holds(PurePosixPath(path)), path
