"""The Date header of answers, made once a second."""

from collections.abc import Iterable
from email.utils import formatdate

from emberbox.clock import Clock

RawHeader = tuple[bytes, bytes]


class DateLine:
    """The header, as it is now."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._second = 0
        self._text = ""

    def text(self) -> str:
        """Its value."""
        now = int(self._clock.now())
        if now != self._second:
            self._second = now
            self._text = formatdate(now, usegmt=True)
        return self._text

    def __call__(self) -> str:
        """The header line with its line end."""
        return f"Date: {self.text()}\r\n"


class DatedHeaders(list[RawHeader]):
    """What uvicorn puts before an answer's own headers, when the answer begins: the date of then.

    As a list it is empty.
    """

    def __init__(self, date: DateLine) -> None:
        super().__init__()
        self._date = date

    def __add__(self, others: Iterable[RawHeader]) -> list[RawHeader]:  # type: ignore[override]
        return [(b"date", self._date.text().encode("ascii")), *others]
