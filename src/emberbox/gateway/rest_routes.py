"""Which REST operation a method, a path and a query string mean: a table built from the model.

Templates with fixed query parameters (`?List=ALL`), required query parameters or required headers
win over those without, because several operations may share a method and a path.
"""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

from emberbox.gateway.shapes import OperationModel, ServiceModel
from emberbox.gateway.wire import HttpRequest
from emberbox.records import dataclass

_LABEL: Final = re.compile(r"\{([^}]+)\}")


@dataclass(frozen=True, slots=True)
class Route:
    """One operation's place: path pattern, and what else must be there."""

    operation: OperationModel
    pattern: re.Pattern[str]
    labels: tuple[str, ...]
    fixed: Mapping[str, str | None]
    query: tuple[str, ...]
    headers: tuple[str, ...]
    literals: int

    def fits(self, query: Mapping[str, str], headers: Mapping[str, str]) -> bool:
        """Whether everything but the path is as this operation needs it."""
        return (
            all(name in query and want in (None, query[name]) for name, want in self.fixed.items())
            and all(name in query for name in self.query)
            and all(name in headers for name in self.headers)
        )

    @property
    def rank(self) -> tuple[int, int, bool]:
        """How particular the route is: literal path parts, then conditions, then not retired."""
        conditions = 4 * len(self.fixed) + len(self.query) + len(self.headers)
        return (self.literals, conditions, not self.operation.deprecated)


class RestRoutes:
    """The route table of one REST service."""

    def __init__(self, service: ServiceModel) -> None:
        self._routes: dict[str, list[Route]] = {}
        for operation in service.operations():
            self._routes.setdefault(operation.method, []).append(_route(operation))
        for routes in self._routes.values():
            routes.sort(key=lambda route: route.rank, reverse=True)
            _relax(routes)

    def find(self, request: HttpRequest) -> tuple[OperationModel, dict[str, str]] | None:
        """The operation and its decoded path labels; None if no template fits."""
        query = dict(reversed(request.query))
        for route in self._routes.get(request.method, ()):
            matched = route.pattern.fullmatch(request.path)
            if matched is not None and route.fits(query, request.headers):
                values = (unquote(text) for text in matched.groups())
                return route.operation, dict(zip(route.labels, values, strict=True))
        return None


def _route(operation: OperationModel) -> Route:
    path = operation.path
    shape = operation.input
    needed = [] if shape is None else [s for s in shape.located if s[0] in shape.required]
    return Route(
        operation=operation,
        pattern=_pattern(path),
        labels=tuple(label.rstrip("+") for label in _LABEL.findall(path)),
        fixed=operation.fixed_query,
        query=tuple(name for _, name, each in needed if each.location == "querystring"),
        headers=tuple(name.lower() for _, name, each in needed if each.location == "header"),
        literals=len([part for part in path.split("/") if part and not part.startswith("{")]),
    )


def _pattern(path: str) -> re.Pattern[str]:
    """The path as an expression; a trailing slash is optional unless a greedy label takes it."""
    pieces = []
    for index, piece in enumerate(_LABEL.split(path)):
        if not index % 2:
            pieces.append(re.escape(piece))
        else:
            pieces.append("(.+)" if piece.endswith("+") else "([^/]+)")
    text = "".join(pieces)
    if path.endswith("+}"):
        return re.compile(text, re.DOTALL)
    return re.compile(text.rstrip("/") + "/?")


def _relax(routes: list[Route]) -> None:
    """Required parameters tell rivals apart; where there is no rival their absence is the
    validation's affair, whose answer says more than an unknown operation."""
    for index, route in enumerate(routes):
        rivals = [r for r in routes if r.pattern == route.pattern and r.fixed == route.fixed]
        if len(rivals) == 1 and (route.query or route.headers):
            routes[index] = Route(
                route.operation, route.pattern, route.labels, route.fixed, (), (), route.literals
            )
