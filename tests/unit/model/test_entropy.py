"""Random digits."""

from uuid import RFC_4122, UUID

from emberbox.entropy import Entropy


def test_digits_are_as_many_as_asked_for_and_never_the_same():
    """Across the point where more are fetched, and for more than are fetched at once."""
    entropy = Entropy()

    pieces = [entropy.hex(count) for count in [24, 16, 32] * 300 + [10_000, 24]]

    assert [len(piece) for piece in pieces[-2:]] == [10_000, 24]
    assert len(set(pieces)) == len(pieces)
    assert all(set(piece) <= set("0123456789abcdef") for piece in pieces)


def test_a_uuid_is_one_of_version_four():
    """Libraries read it as what it is, and no two are alike."""
    entropy = Entropy()
    made = {entropy.uuid() for _ in range(1_000)}
    assert len(made) == 1_000
    assert {(UUID(each).version, UUID(each).variant) for each in made} == {(4, RFC_4122)}
    assert all(str(UUID(each)) == each for each in made)
