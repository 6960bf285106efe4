"""Random digits."""

from emberbox.entropy import Entropy


def test_digits_are_as_many_as_asked_for_and_never_the_same():
    """Across the point where more are fetched, and for more than are fetched at once."""
    entropy = Entropy()

    pieces = [entropy.hex(count) for count in [24, 16, 32] * 300 + [10_000, 24]]

    assert [len(piece) for piece in pieces[-2:]] == [10_000, 24]
    assert len(set(pieces)) == len(pieces)
    assert all(set(piece) <= set("0123456789abcdef") for piece in pieces)
