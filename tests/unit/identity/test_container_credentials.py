"""Tokens that functions fetch credentials with."""

import base64

import pytest

from emberbox.clock import ManualClock
from emberbox.identity.container_credentials import PATH, ContainerCredentials, variables_of_token
from emberbox.identity.sessions import Sessions
from emberbox.storage.database import Database
from emberbox.storage.sessions import SessionStore

ACCOUNT = "123456789012"


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
async def sessions(tmp_path, clock):
    database = await Database.open(tmp_path / "state.db", "state", ("identities",))
    sessions = Sessions(SessionStore(database), bytes(32), clock)
    yield sessions
    await sessions.close()
    await database.close()


@pytest.fixture
def credentials(sessions, clock):
    return ContainerCredentials(sessions, b"secret", clock, duration_s=3_600)


async def test_a_token_is_good_for_the_keys_of_its_role(credentials, sessions):
    """In the form that AWS's SDKs read."""
    token = credentials.token(ACCOUNT, "role", "f")
    variables = variables_of_token("127.0.0.1:1", token)

    keys = credentials.answer(variables["AWS_CONTAINER_AUTHORIZATION_TOKEN"])
    found = await sessions.find(keys["AccessKeyId"])

    assert variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] == f"http://127.0.0.1:1{PATH}"
    assert set(keys) == {"AccessKeyId", "SecretAccessKey", "Token", "Expiration"}
    assert (found.account, found.role, found.name) == (ACCOUNT, "role", "f")


async def test_a_token_ends(credentials, clock):
    """With the time it was given."""
    token = credentials.token(ACCOUNT, "role", "f")
    clock.advance(3_601)

    assert credentials.answer(token) is None


@pytest.mark.parametrize("token", ["", "x", "*", "\u00e9", "QUJD" * 2_000])
async def test_what_is_no_token_gives_nothing(credentials, token):
    """Whatever it is."""
    assert credentials.answer(token) is None


async def test_a_changed_token_gives_nothing(credentials):
    """One cannot make oneself another role."""
    token = credentials.token(ACCOUNT, "role", "f")
    changed = base64.urlsafe_b64decode(token).replace(b"role", b"root")

    assert credentials.answer(base64.urlsafe_b64encode(changed).decode()) is None
