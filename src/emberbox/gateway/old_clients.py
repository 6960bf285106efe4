"""Clients of HTTP/1.0, which know no chunks: a body of theirs ends with its connection.

Source: RFC 9112, sections 6.1 and 6.3.
"""

from typing import Any, Final

VERSION: Final = "1.0"


class Unbounded(int):
    """What uvicorn counts down from, to see that a body has the length that was promised.

    No body is longer, whatever is taken off it is as much as before, and at any end it is over.
    """

    def __lt__(self, _other: object) -> bool:
        return False

    def __sub__(self, _other: object) -> "Unbounded":
        return self

    def __eq__(self, other: object) -> bool:
        return other == 0

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return 0


def end_with_connection(cycle: Any) -> None:
    """Let uvicorn send the answer of a request without chunks, and close the connection."""
    cycle.chunked_encoding = False
    cycle.expected_content_length = Unbounded()
    cycle.keep_alive = False
