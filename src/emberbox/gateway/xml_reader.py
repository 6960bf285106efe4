"""An XML reader for hostile input: no document types, no entities, limited depth and size."""

from dataclasses import field
from typing import Final
from xml.parsers import expat

from emberbox.gateway.wire import DEPTH_MAX, MalformedError
from emberbox.records import dataclass

_ELEMENTS_MAX: Final = 200_000


@dataclass(slots=True)
class Element:
    """One element: its name without prefix, its attributes as written, its text and children."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list["Element"] = field(default_factory=list)
    text: str = ""

    def named(self, name: str) -> list["Element"]:
        """The children of that name, in order."""
        return [child for child in self.children if child.name == name]


def read_xml(body: bytes) -> Element:
    """The root element of a document; MalformedError for anything that is not plain XML."""
    builder = _Builder()
    try:
        builder.parser.Parse(body, True)
    except expat.ExpatError as error:
        raise MalformedError(str(error)) from None
    if builder.root is None:
        raise MalformedError("no element found")
    return builder.root


class _Builder:
    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._texts: list[list[str]] = []
        self._count = 0
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.EntityDeclHandler = self._refuse

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > _ELEMENTS_MAX or len(self._open) >= DEPTH_MAX:
            raise MalformedError("the document is too large or nested too deeply")
        element = Element(name.rpartition(":")[2], attributes)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)
        self._texts.append([])

    def _end(self, _name: str) -> None:
        self._open.pop().text = "".join(self._texts.pop())

    def _text(self, text: str) -> None:
        self._texts[-1].append(text)

    def _refuse(self, *_declaration: object) -> None:
        raise MalformedError("document types and entities are not allowed")
