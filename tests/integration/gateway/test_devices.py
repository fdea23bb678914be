"""Devices that make codes offline, through the gateway."""

from __future__ import annotations

import base64

import pytest

from tests.integration.gateway.conftest import Gateway, Mesh, User


def problem_of(answer: object) -> tuple[int, str]:
    """Status and code of a problem."""
    return answer.status_code, answer.json()["code"]  # type: ignore[attr-defined]


async def test_a_device_from_its_enrolment_to_its_end(alice: User) -> None:
    """Goal: the secret is told once, which nobody may store; afterwards the owner sees, prolongs
    and ends the device."""
    answer = await alice.http.post("/devices", json={"name": "Alice's phone"})
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    device, offline = answer.json()["device"], answer.json()["offline"]
    assert device.keys() == {"id", "name", "created_at", "expires_at"}
    assert (offline["handle"], offline["window_seconds"]) == ("012345678", 30)
    assert base64.urlsafe_b64decode(offline["secret"] + "=") == b"\xff" * 32
    assert base64.urlsafe_b64decode(offline["permutation_key"] + "=") == b"p" * 32
    assert (await alice.get("/devices")).json() == {"items": [device]}
    renewed = await alice.http.post(f"/devices/{device['id']}/renew")
    assert renewed.status_code == 200
    assert "secret" not in renewed.json()["offline"]
    revoked = await alice.http.post(f"/devices/{device['id']}/revoke")
    assert revoked.json().keys() == {*device.keys(), "revoked_at"}


async def test_what_is_refused(alice: User, gateway: Gateway) -> None:
    """Goal: a device is its owner's, who is a customer; too many are refused."""
    bob, cafe = await gateway.user(), await gateway.user("merchant")
    device_id = (await alice.post("/devices", {"name": "mine"})).json()["device"]["id"]
    for verb in ("renew", "revoke"):
        answer = await bob.post(f"/devices/{device_id}/{verb}")
        assert problem_of(answer) == (404, "device-not-found")
    answer = await alice.post("/devices", {"name": "one too many"})
    assert problem_of(answer) == (409, "too-many-devices")
    assert problem_of(await cafe.post("/devices", {"name": "till"})) == (403, "forbidden")
    assert problem_of(await cafe.get("/devices")) == (403, "forbidden")


@pytest.mark.parametrize("name", ["", " a", "a ", "x" * 65, "a\nb", 7, None])
async def test_bad_names(alice: User, mesh: Mesh, name: object) -> None:
    """Goal: a name can be shown in one line; what cannot is refused here."""
    answer = await alice.post("/devices", {"name": name})
    assert (problem_of(answer), answer.json()["errors"][0]["field"]) == (
        (400, "invalid-request"),
        "name",
    )
    assert mesh.devices.faults.calls == []
