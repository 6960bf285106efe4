"""Temporary credentials: at once, recognised later, bounded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emberbox.clock import ManualClock
from emberbox.identity import sessions as sessions_module
from emberbox.identity.managed_policies import managed_policies
from emberbox.identity.sessions import ExpiredSessionError, Sessions
from emberbox.model.access_keys import access_key_id, parse_access_key_id
from emberbox.model.policy_documents import check_identity_policy
from emberbox.storage.database import Database
from emberbox.storage.sessions import NO_LIMITS, SessionStore

ACCOUNT = "123456789012"
SECRET = b"s" * 32


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
async def store(tmp_path):
    database = await Database.open(tmp_path / "state.db", "state", ("identities",))
    yield SessionStore(database)
    await database.close()


@pytest.fixture
async def sessions(store, clock):
    sessions = Sessions(store, SECRET, clock)
    yield sessions
    await sessions.close()


async def test_issued_credentials_are_known_at_once(sessions, clock):
    """Without waiting for the store."""
    made = sessions.issue(ACCOUNT, "role", "f", 3_600)

    found = await sessions.find(made.access_key_id)

    assert (found.account, found.role, found.name) == (ACCOUNT, "role", "f")
    assert made.expires == clock.now() + 3_600
    assert made.access_key_id.startswith("ASIA")
    assert sessions.account_of(made.access_key_id) == ACCOUNT
    assert len(made.secret_access_key) == 40


@pytest.mark.parametrize("how", ["issue", "create"])
async def test_sessions_outlive_the_server(store, clock, how):
    """The next server knows the key id and derives the same secret and token."""
    sessions = Sessions(store, SECRET, clock)
    if how == "issue":
        made = sessions.issue(ACCOUNT, "role", "f", 3_600)
    else:
        made = await sessions.create(ACCOUNT, role="role", name="f", duration_s=3_600)
    await sessions.close()

    again = Sessions(store, SECRET, clock)

    found = await again.find(made.access_key_id)
    assert again.credentials(found) == made


async def test_issued_credentials_are_handed_out_again_for_half_their_time(sessions, clock):
    """A function's environments share a session; an old one is replaced."""
    first = sessions.issue(ACCOUNT, "role", "f", 3_600)
    clock.advance(1_800)
    assert sessions.issue(ACCOUNT, "role", "f", 3_600) == first
    assert sessions.issue(ACCOUNT, "role", "g", 3_600) != first
    clock.advance(1)

    later = sessions.issue(ACCOUNT, "role", "f", 3_600)

    assert later.access_key_id != first.access_key_id
    assert later.expires >= clock.now() + 3_599


async def test_created_credentials_are_new_each_time(sessions):
    """Two callers who assume a role have two sessions."""
    one = await sessions.create(ACCOUNT, role="role", name="name", duration_s=900)
    other = await sessions.create(ACCOUNT, role="role", name="name", duration_s=900)

    assert one.access_key_id != other.access_key_id
    assert one.session_token != other.session_token
    assert one.secret_access_key != other.secret_access_key


async def test_an_expired_session_is_known_as_such(sessions, clock):
    """Also when the store has forgotten it."""
    made = await sessions.create(ACCOUNT, role="role", name="name", duration_s=900)
    clock.advance(900)
    with pytest.raises(ExpiredSessionError):
        await sessions.find(made.access_key_id)

    await sessions.create(ACCOUNT, role="role", name="other", duration_s=900)

    with pytest.raises(ExpiredSessionError):
        await sessions.find(made.access_key_id)


@pytest.mark.parametrize("key", ["test", "", "123456789012", "AKIAIOSFODNN7EXAMPLE"])
async def test_foreign_keys_are_not_ours(sessions, key):
    """They are nobody's session."""
    assert await sessions.find(key) is None
    assert sessions.account_of(key) is None


async def test_a_key_with_another_tag_is_foreign(sessions):
    """Only this server can make the tag."""
    made = await sessions.create(ACCOUNT, role="role", name="name", duration_s=900)
    _, free = parse_access_key_id(made.access_key_id)

    forged = [
        access_key_id("ASIA", account, free ^ change)
        for account in (ACCOUNT, "999999999999")
        for change in range(1, 101)
    ]

    # A tag is short: one of many may be right by chance, and then no session has that key.
    assert sum(sessions.account_of(key) is not None for key in forged) < len(forged) / 10


async def test_memory_is_bounded(sessions, monkeypatch):
    """Old sessions leave memory and are found in the store."""
    monkeypatch.setattr(sessions_module, "_ISSUED_MAX", 10)
    made = [sessions.issue(ACCOUNT, "role", f"f{number}", 900) for number in range(50)]
    await sessions.close()

    assert len(sessions._by_key) <= 10
    assert len(sessions._issued) <= 10
    for number, credentials in enumerate(made):
        assert (await sessions.find(credentials.access_key_id)).name == f"f{number}"


async def test_a_session_that_cannot_be_stored_is_said(tmp_path, clock, caplog):
    """It works until the next start."""
    database = await Database.open(tmp_path / "state.db", "state", ("identities",))
    sessions = Sessions(SessionStore(database), SECRET, clock)
    await database.close()

    made = sessions.issue(ACCOUNT, "role", "f", 900)
    await sessions.close()

    assert "until the next start only" in caplog.text
    assert (await sessions.find(made.access_key_id)).name == "f"


async def test_sessions_issued_together_are_stored_in_one_write(store, clock, monkeypatch):
    """Starting functions wakes the writer once for many of them, and each is kept."""
    writes, add_all = [], store.add_all

    async def counted(sessions, forget_before):
        writes.append(len(sessions))
        await add_all(sessions, forget_before)

    monkeypatch.setattr(store, "add_all", counted)
    sessions = Sessions(store, SECRET, clock)
    made = [sessions.issue(ACCOUNT, "role", f"f{number}", 900) for number in range(3)]
    await sessions.close()

    found = [(await store.find(each.access_key_id)).name for each in made]
    assert (writes, found) == ([3], ["f0", "f1", "f2"])


async def test_credentials_do_not_print_their_secret(sessions):
    """A log line with them is harmless."""
    made = sessions.issue(ACCOUNT, "role", "f", 900)

    assert made.secret_access_key not in repr(made)
    assert made.session_token not in repr(made)


@given(st.integers(0, 10**12 - 1), st.binary(min_size=32, max_size=32))
def test_any_account_has_keys(number, secret):
    """The account is read back whatever it is."""
    sessions = Sessions(None, secret, ManualClock())
    account = f"{number:012d}"

    session = sessions._new(account, None, None, None, 0, 0, NO_LIMITS)

    assert sessions.account_of(session.access_key) == account


def test_policies_of_aws_are_policies():
    """Each has a valid document and an ARN of its own."""
    assert len(managed_policies()) > 20
    for arn, policy in managed_policies().items():
        assert arn == policy.arn
        assert check_identity_policy(policy.document)
        assert len(policy.id) == 21
