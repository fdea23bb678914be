"""House rules that a program can check. Each says what to do instead."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from chassis.errors import ServiceError

ROOT = Path(__file__).parents[2]
SERVICES = ("wallet_svc", "payment_svc", "ledger_svc", "barcode_svc")
HOUSES = ("chassis", "gateway", *SERVICES, "cli", "embedded", "bench")
FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 400


def tracked_files() -> list[Path]:
    """Everything that git knows or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = (ROOT / name for name in listed.stdout.splitlines())
    return [path for path in paths if path.is_file()]


def sources(*folders: str) -> list[Path]:
    """Our Python below some folders, without generated stubs."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def trees(*folders: str) -> Iterator[tuple[str, ast.Module]]:
    """The same, parsed, with names relative to the repository."""
    for path in sources(*folders):
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text())


def test_files_and_functions_stay_small() -> None:
    """A file that outgrows the limit becomes a folder of its name; a function is split."""
    large = []
    for path in sources(*HOUSES, "tests"):
        text = path.read_text()
        name = path.relative_to(ROOT).as_posix()
        limit = 2 * FILE_LINES_MAX if name.startswith("tests/") else FILE_LINES_MAX
        if text.count("\n") > limit:
            large.append(f"{name}: {text.count(chr(10))} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > FUNCTION_LINES_MAX:
                    large.append(f"{name}:{node.lineno} {node.name}: {lines} lines")
    assert large == []


def test_every_service_has_the_same_anatomy() -> None:
    """Learn one, find your way in all."""
    for service in SERVICES:
        present = {path.stem for path in (ROOT / service).iterdir()}
        expected = {"__init__", "__main__", "settings", "rpc", "operations", "model", "store"}
        assert expected | {"tables", "errors", "migrations"} <= present, service


def test_sql_is_written_in_the_store() -> None:
    """A service's statements are found in one place."""
    statement = re.compile(r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM)\s+\S+")
    found = []
    for name, tree in trees("gateway", *SERVICES):
        if re.search(r"_svc/store(/|\.py)", name):
            continue
        docstrings = {
            ast.get_docstring(node, clean=False)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        }
        found += [
            f"{name}:{node.lineno}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and node.value not in docstrings
            and statement.search(node.value)
        ]
    assert found == []


def test_time_and_chance_are_arguments() -> None:
    """Take a Clock, an IdMaker or a source of randomness; only the chassis knows the real ones."""
    real = {"datetime.now", "datetime.utcnow", "time.time", "uuid.uuid4", "uuid4"}
    found = [
        f"{name}:{node.lineno} {ast.unparse(node.func)}"
        for name, tree in trees("gateway", *SERVICES)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in real
    ]
    assert found == []


def test_decisions_are_pure() -> None:
    """Models import nothing that acts."""
    acting = {"grpc", "sqlalchemy", "psycopg", "nats", "redis", "asyncio", "time", "random", "os"}
    found = []
    for name, tree in trees(*SERVICES):
        if not re.search(r"_svc/((merchant_)?model(\.py|/)|emvco)", name):
            continue
        for node in ast.walk(tree):
            names = [item.name for item in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            found += [f"{name}: {item}" for item in names if item.split(".")[0] in acting]
    assert found == []


def test_every_test_says_its_goal() -> None:
    """A docstring, one sentence at least."""
    silent = [
        f"{name}:{node.lineno} {node.name}"
        for name, tree in trees("tests")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert silent == []


def test_the_repository_speaks_of_itself_alone() -> None:
    """No private paths, no package index's host, no loose ends without an owner."""
    forbidden = re.compile(
        r"/(?:root|home/[a-z]+|work)/|pypi\.org|pythonhosted\.org|\b(?:TODO|FIXME)\b(?!\()"
    )
    found = []
    for path in tracked_files():
        if path == Path(__file__) or path.suffix in {".png", ".webp"}:
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if forbidden.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}")
    assert found == []


def error_classes(service: str) -> list[type[ServiceError]]:
    """The errors that a service declares."""
    module = importlib.import_module(f"{service}.errors")
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, ServiceError)
        and value.__module__ == module.__name__
    ]


@pytest.mark.parametrize("service", SERVICES)
def test_each_error_is_a_reason_of_the_contract(service: str) -> None:
    """Reasons are unique, formed as AIP-193 asks, classified, and named in the service's protos."""
    folder = ROOT / "protos/qrpay" / service.removesuffix("_svc")
    contract = "".join(path.read_text() for path in folder.rglob("*.proto"))
    classes = error_classes(service)
    assert classes
    reasons = [error.reason for error in classes]
    assert len(set(reasons)) == len(reasons)
    for error in classes:
        assert re.fullmatch(r"[A-Z][A-Z0-9_]{1,61}[A-Z0-9]", error.reason)
        assert isinstance(error.code, grpc.StatusCode)
        assert error.reason in contract, f"{error.reason} is not in the contract"
        assert (error.__doc__ or "").strip().endswith((".", "?")), error
