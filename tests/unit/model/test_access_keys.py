"""Access key ids name their account as those of AWS do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emberbox.model.access_keys import FREE_BITS, access_key_id, parse_access_key_id

accounts = st.integers(0, 10**12 - 1).map(lambda number: f"{number:012d}")


@given(accounts, st.integers(0, 2**FREE_BITS - 1))
def test_account_and_free_bits_are_read_back(account, free):
    """A key id has twenty letters and digits, and loses nothing."""
    key = access_key_id("ASIA", account, free)

    assert len(key) == 20
    assert key.isalnum()
    assert parse_access_key_id(key) == (account, free)


def test_a_key_of_aws_names_its_account():
    """The layout is that of real keys (an example from public write-ups on key ids)."""
    parsed = parse_access_key_id("ASIAY34FZKBOKMUTVV7A")

    assert parsed is not None
    assert parsed[0] == "609629065308"


@pytest.mark.parametrize("text", ["test", "123456789012", "", "ASIA" + "1" * 16, "AROA" + "A" * 16])
def test_other_texts_are_no_key_ids(text):
    """They name no account."""
    assert parse_access_key_id(text) is None


def test_a_number_beyond_twelve_digits_is_no_account():
    """Forty bits hold more than accounts."""
    assert parse_access_key_id(access_key_id("ASIA", str(10**12), 0)) is None
