"""Which ports a stack takes."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from embedded.errors import StackError
from embedded.layout import Layout
from embedded.ports import find_free_port
from embedded.stack import HTTP_PORT_DEFAULT, choose_ports
from embedded.supervisor import Announcement


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A data directory."""
    layout = Layout(tmp_path / "data")
    layout.create()
    return layout


def nothing(announcement: Announcement) -> None:
    """Nothing is worth saying."""
    pytest.fail(f"announced: {announcement}")


def test_the_port_that_was_asked_for(layout: Layout) -> None:
    """Goal: an explicit port is taken and nothing is said; without one the others stay."""
    wanted = find_free_port()
    ports = choose_ports(layout, wanted, nothing)
    assert ports["gateway"] == wanted
    again = choose_ports(layout, wanted, nothing)
    assert again == ports


def test_a_taken_port_that_was_asked_for_is_an_error(layout: Layout) -> None:
    """Goal: who names a port gets that port or a sentence, never another port."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        pytest.raises(StackError, match=r"port [0-9]+ is taken"),
    ):
        choose_ports(layout, server.getsockname()[1], nothing)


def test_the_usual_port_gives_way(layout: Layout) -> None:
    """Goal: when the usual port is taken, the start goes on with another one and says so."""
    said: list[Announcement] = []
    try:
        server = socket.create_server(("127.0.0.1", HTTP_PORT_DEFAULT))
    except OSError:
        # Somebody else's server does as well.
        server = socket.socket()
    with server:
        ports = choose_ports(layout, None, said.append)
    assert ports["gateway"] != HTTP_PORT_DEFAULT
    assert [(item.name, item.text) for item in said] == [
        ("gateway", f"port 8080 is taken; the gateway listens on {ports['gateway']}")
    ]


def test_a_port_of_our_own_can_be_asked_for(layout: Layout) -> None:
    """Goal: the port that another process had last time moves out of the way."""
    wallet_port = choose_ports(layout, find_free_port(), nothing)["wallet"]
    ports = choose_ports(layout, wallet_port, nothing)
    assert ports["gateway"] == wallet_port
    assert len(set(ports.values())) == len(ports)
