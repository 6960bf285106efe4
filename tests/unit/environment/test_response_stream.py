"""A response that arrives in pieces: how much of it is passed on."""

import pytest

from emberbox.environment.response_stream import ResponseStream
from emberbox.model.invocation import Invocation


class Sink:
    """Counts what it is given."""

    def __init__(self):
        self.size = 0

    def begin(self, version, content_type, flow):
        """Nothing to do."""

    def write(self, chunk):
        """Count it."""
        self.size += len(chunk)


class Flow:
    """One that need not wait."""

    def pause(self):
        """Nothing to do."""

    def resume(self):
        """Nothing to do."""


@pytest.mark.parametrize(("sink", "most"), [(Sink(), 209_715_200), (None, 6_291_556)])
def test_exactly_as_much_as_is_allowed(sink, most):
    """200 MB to who takes pieces, 6 MB and 100 bytes to who wants it whole; not a byte more."""
    invocation = Invocation("id", b"{}", 3, "arn", "", sink=sink)
    stream = ResponseStream(invocation, "1", "text/plain", Flow())
    piece = bytes(1 << 20)
    for _ in range(most >> 20):
        stream.write(piece)
    stream.write(bytes(most % (1 << 20)))
    was_too_large = stream.is_too_large

    stream.write(b"x")

    assert (was_too_large, stream.is_too_large) == (False, True)
    assert (sink.size if sink else len(stream.end())) == most
