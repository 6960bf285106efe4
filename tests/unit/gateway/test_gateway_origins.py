"""Pages of other sites cannot use a server on the user's machine."""

import pytest

from emberbox.gateway.origins import is_foreign

HOST = b"127.0.0.1:4566"


@pytest.mark.parametrize(
    "origin",
    [
        None,
        b"http://127.0.0.1:4566",
        b"http://localhost:3000",
        b"http://app.localhost",
        b"http://[::1]:8080",
    ],
)
def test_this_machine_is_not_foreign(origin: bytes | None) -> None:
    """No page at all, and pages served from the loopback interface, may ask."""
    assert not is_foreign(origin, HOST)


@pytest.mark.parametrize(
    "origin",
    [b"https://example.com", b"null", b"", b"http://192.0.2.7", b"http://localhost.example.com",
     b"http://127.0.0.1.example.com", b"http://[", b"\xff"],
)  # fmt: skip
def test_other_sites_are_foreign(origin: bytes) -> None:
    """Any other origin is refused, however it looks."""
    assert is_foreign(origin, HOST)


def test_a_name_that_was_pointed_here_is_foreign() -> None:
    """A site whose own name resolves to this machine is still another site."""
    assert is_foreign(b"http://attacker.example:4566", b"attacker.example:4566")


def test_an_address_we_were_asked_by_is_ours() -> None:
    """On a server for a team, pages under the server's own address may ask."""
    assert not is_foreign(b"http://192.0.2.7:4566", b"192.0.2.7:4566")
