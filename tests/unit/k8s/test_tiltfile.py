"""The Tiltfile, loaded with Tilt's built-ins as recorders: what it declares exists."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import starlark
import yaml

from chassis.clock import SystemClock
from cli.main import COMMANDS
from embedded.certificates import ensure_certificates
from embedded.errors import StackError
from embedded.layout import Layout
from embedded.state import running_state
from k8s.check.rendering import render
from k8s.image.dockerfile import Context, read_stages
from k8s.live import PORTS, adopt

CHECKOUT = Path(__file__).parents[3]
STAGES = {stage.name: stage for stage in read_stages((CHECKOUT / "Dockerfile").read_text())}
WORKLOADS = ("Deployment", "StatefulSet", "Job", "CronJob")


class Tilt:
    """What a Tiltfile said. Each built-in notes its arguments and answers a plain value."""

    def __init__(self, overlay: list[dict[str, Any]], *, data: Path) -> None:
        self.overlay = overlay
        self.data = data
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def load(self, text: str) -> None:
        """Run a Tiltfile. Raises ``starlark.StarlarkError`` for what Tilt would not understand."""
        module = starlark.Module()
        for name in (
            *("version_settings", "allow_k8s_contexts", "update_settings", "docker_build"),
            *("k8s_yaml", "k8s_resource", "local_resource", "sync", "fall_back_on"),
            *("port_forward", "link", "kustomize", "decode_yaml_stream", "encode_yaml_stream"),
            *("config_define", "config_parse", "probe", "exec_action", "watch_file"),
        ):
            module.add_callable(name, self._recorder(name))
        module.add_callable("local", self._local)
        module["TRIGGER_MODE_MANUAL"] = "manual"
        dialect = starlark.Dialect.extended()
        dialect.enable_top_level_stmt = True
        # Starlark here has no modules with fields: `config.parse()` is one name.
        text = text.replace("config.define_string_list", "config_define")
        text = text.replace("config.parse", "config_parse")
        tree = starlark.parse("Tiltfile", text, dialect)
        starlark.eval(module, tree, starlark.Globals.extended_by([starlark.LibraryExtension.Print]))

    def _recorder(self, name: str) -> Callable[..., Any]:
        def record(*arguments: Any, **named: Any) -> Any:
            self.calls.append((name, arguments, named))
            answers: dict[str, Any] = {
                "config_parse": {},
                "decode_yaml_stream": self._decoded(arguments),
                "encode_yaml_stream": arguments[0] if arguments else None,
            }
            return answers.get(name, [name, *arguments, *named.values()])

        return record

    def _decoded(self, arguments: tuple[Any, ...]) -> Any:
        if arguments and isinstance(arguments[0], str):
            return list(yaml.safe_load_all(arguments[0]))
        return self.overlay

    def _local(self, command: list[str], **named: Any) -> str:
        """Tilt runs it in the checkout; so do we, but for the folder that it writes to."""
        self.calls.append(("local", (command,), named))
        program, *arguments, option, _data = command
        assert (program, option) == (".venv/bin/python", "--data")
        done = subprocess.run(
            [sys.executable, *arguments, option, str(self.data)],
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def of(self, name: str) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
        """Every call of one built-in."""
        return [(args, named) for called, args, named in self.calls if called == name]

    def resources(self) -> dict[str, dict[str, Any]]:
        """What is declared, by name."""
        return {
            args[0] if args else named["new_name"]: named
            for kind in ("k8s_resource", "local_resource")
            for args, named in self.of(kind)
        }


@pytest.fixture(scope="module")
def overlay() -> list[dict[str, Any]]:
    """The objects of the local overlay."""
    return render(CHECKOUT / "k8s" / "overlays" / "local").objects


@pytest.fixture(scope="module")
def tilt(overlay: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Tilt:
    """The Tiltfile, loaded."""
    tilt = Tilt(overlay, data=tmp_path_factory.mktemp("secrets"))
    tilt.load((CHECKOUT / "Tiltfile").read_text())
    return tilt


def named(objects: list[dict[str, Any]], *kinds: str) -> set[str]:
    """The names of the objects of some kinds."""
    return {found["metadata"]["name"] for found in objects if found["kind"] in kinds}


def test_every_workload_is_a_resource(tilt: Tilt, overlay: list[dict[str, Any]]) -> None:
    """Goal: nothing of the overlay is left to Tilt's guesses, and nothing is declared that the
    overlay has not."""
    declared = {args[0] for args, _ in tilt.of("k8s_resource") if args}

    assert declared == named(overlay, *WORKLOADS)
    assert all(named.get("labels") for named in tilt.resources().values())


def test_who_waits_for_whom_exists(tilt: Tilt) -> None:
    """Goal: every dependency is a resource, and they come to an end."""
    resources = tilt.resources()
    waits = {name: set(found.get("resource_deps") or []) for name, found in resources.items()}

    assert {wanted for found in waits.values() for wanted in found} <= set(resources)
    ready: set[str] = set()
    while new := {name for name, found in waits.items() if found <= ready} - ready:
        ready |= new
    assert ready == set(resources)


def test_forwarded_ports_are_listened_on(tilt: Tilt, overlay: list[dict[str, Any]]) -> None:
    """Goal: each forwarded port is one of the workload's own, no two the same one here."""
    here: list[int] = []
    workloads = {
        found["metadata"]["name"]: found for found in overlay if found["kind"] in WORKLOADS
    }
    for args, resource in tilt.of("k8s_resource"):
        if not args:
            continue
        for forwarded in resource.get("port_forwards") or []:
            local, _, inside = str(forwarded).partition(":")
            here.append(int(local))
            containers = workloads[args[0]]["spec"]["template"]["spec"]["containers"]
            ports = {
                port["containerPort"] for found in containers for port in found.get("ports", [])
            }
            assert int(inside) in ports, (args[0], forwarded, ports)

    assert len(here) == len(set(here))
    assert set(PORTS.values()) <= set(here)


def test_what_is_copied_into_pods_is_in_the_image(tilt: Tilt) -> None:
    """Goal: each synced folder exists, gets into the build, and lands where the image has it."""
    ((arguments, build),) = tilt.of("docker_build")
    context = Context((CHECKOUT / ".dockerignore").read_text())
    image_copies = {
        word
        for stage in read_stages((CHECKOUT / "Dockerfile").read_text())
        for found in stage.of("COPY")
        for word in found.arguments[:-1]
    }

    assert arguments[1] == "."
    assert build["target"] in {
        stage.name for stage in read_stages((CHECKOUT / "Dockerfile").read_text())
    }
    synced = {args[0]: args[1] for args, _ in tilt.of("sync")}
    for folder, target in synced.items():
        assert context.files(CHECKOUT, folder), folder
        assert folder.split("/")[0] in image_copies
        assert target == f"/app/{folder.rpartition('/')[2]}"
    for path in build["only"]:
        assert (CHECKOUT / path).exists(), path
    (rebuilt,) = [args[0] for args, _ in tilt.of("fall_back_on")]
    assert all((CHECKOUT / path).exists() for path in rebuilt)


def test_live_pods_run_below_the_watcher(tilt: Tilt, overlay: list[dict[str, Any]]) -> None:
    """Goal: each service's own command is kept, below the watcher of the live image, which has it
    at that path; servers from elsewhere are left alone."""
    (arguments, _), _secrets = tilt.of("k8s_yaml")
    originals = {
        found["metadata"]["name"]: found for found in overlay if found["kind"] == "Deployment"
    }
    live = read_stages((CHECKOUT / "Dockerfile").read_text())
    (copied,) = [found for stage in live if stage.name == "live" for found in stage.of("COPY")]
    wrapped = 0
    for found in arguments[0]:
        if found["kind"] != "Deployment":
            continue
        for before, after in zip(
            originals[found["metadata"]["name"]]["spec"]["template"]["spec"]["containers"],
            found["spec"]["template"]["spec"]["containers"],
            strict=True,
        ):
            if before["image"].split(":")[0] == "ghcr.io/qrpay/qrpay":
                assert after["args"] == ["python", copied.arguments[-1], *before["args"]]
                wrapped += 1
            else:
                assert after == before
    assert wrapped >= 5


def test_buttons_run_what_exists(tilt: Tilt) -> None:
    """Goal: each button's command is a target of the Makefile, a command of `qrpay` or a module,
    and none of them runs before somebody presses it."""
    targets = set(re.findall(r"^([a-z0-9-]+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE))
    for args, found in tilt.of("local_resource"):
        words = shlex.split(found["cmd"] if "cmd" in found else found["serve_cmd"])
        program = words[0].rpartition("/")[2]
        if program == "make":
            assert words[1] in targets, args
        elif program == "qrpay":
            assert words[1] in COMMANDS, args
        else:
            assert words[1:2] == ["-m"], args
            assert (CHECKOUT / (words[2].replace(".", "/") + ".py")).exists(), args
        if "cmd" in found:
            assert (found["trigger_mode"], found["auto_init"]) == ("manual", False), args


def test_the_command_finds_the_cluster(tilt: Tilt, tmp_path: Path) -> None:
    """Goal: `qrpay --data` reads from the bridge's state exactly the ports that are forwarded to
    what answers there."""
    layout = Layout(tmp_path)
    layout.create()
    with pytest.raises(StackError, match="operator-tls"):
        adopt(layout)
    ensure_certificates(layout.certificates, now=SystemClock().now(), identities=["operator"])
    adopt(layout)

    forwarded = {
        args[0].removesuffix("-api"): resource["port_forwards"][0]
        for args, resource in tilt.of("k8s_resource")
        if args and args[0].removesuffix("-api") in PORTS
    }
    inside = {name: 8080 if name == "gateway" else 7000 for name in PORTS}
    found = running_state(layout).ports
    assert forwarded == {name: f"{found[name]}:{inside[name]}" for name in PORTS}
