"""URLs for other users and databases of a server."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from embedded.databases import url_for


@given(password=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
def test_any_password_survives_the_url(password: str) -> None:
    """Goal: for all passwords, the server is told exactly that password; address and TLS stay."""
    url = url_for(
        "postgresql://admin:secret@db.example:6432/postgres?sslmode=require",
        user="wallet_svc",
        password=password,
        database="wallet",
    )
    assert conninfo_to_dict(url) == {
        "user": "wallet_svc",
        "password": password,
        "host": "db.example",
        "port": "6432",
        "dbname": "wallet",
        "sslmode": "require",
    }
