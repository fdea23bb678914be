"""Ports are found once and kept."""

from __future__ import annotations

import socket
from pathlib import Path

from embedded.ports import find_free_port, port_is_free, remembered_ports

NAMES = ("one", "two", "three")


def test_ports_are_different_free_and_remembered(tmp_path: Path) -> None:
    """Goal: a second start on the same data gets the same ports."""
    ports = remembered_ports(tmp_path / "ports.json", NAMES)
    assert len(set(ports.values())) == len(NAMES)
    assert all(port_is_free(port) for port in ports.values())
    assert remembered_ports(tmp_path / "ports.json", NAMES) == ports


def test_a_port_that_was_taken_meanwhile_is_replaced(tmp_path: Path) -> None:
    """Goal: a stranger on one port does not keep the stack from starting, and the others stay."""
    ports = remembered_ports(tmp_path / "ports.json", NAMES)
    with socket.create_server(("127.0.0.1", ports["two"])):
        assert not port_is_free(ports["two"])
        moved = remembered_ports(tmp_path / "ports.json", NAMES)
    assert moved["two"] not in ports.values()
    assert {**moved, "two": 0} == {**ports, "two": 0}


def test_taken_ports_are_left_out() -> None:
    """Goal: ports that were promised to somebody are not given twice."""
    first = find_free_port()
    assert find_free_port(taken=range(first + 1)) > first or first == 31_999
