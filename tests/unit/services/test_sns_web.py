"""Web servers that topics deliver to, and those that they do not."""

import pytest

from emberbox.errors import CallerError
from emberbox.services.sns.web import WebPoster
from emberbox.services.targets.web import is_public


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("::ffff:127.0.0.1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
    ],
)
def test_addresses_of_this_machine_and_of_private_networks_are_not_public(address, public):
    """Written in whatever way."""
    assert is_public(address) is public


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "127.1"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_nothing_is_posted_to_this_machine(host, scheme):
    """Whatever it is called; it is refused for good, and the answer names the setting."""
    post = WebPoster(everywhere=False)
    with pytest.raises(CallerError, match="--sns-local-web"):
        await post(f"{scheme}://{host}:9/", b"", {})
