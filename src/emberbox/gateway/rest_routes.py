"""Which REST operation a method, a path and a query string mean: a table built from the model.

Templates with fixed query parameters (`?List=ALL`), required query parameters or required headers
win over those without, because several operations may share a method and a path.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Final
from urllib.parse import unquote

from emberbox.gateway.shapes import OperationModel, ServiceModel
from emberbox.gateway.wire import HttpRequest
from emberbox.records import dataclass

_LABEL: Final = re.compile(r"\{([^}]+)\}")


@dataclass(frozen=True, slots=True)
class Route:
    """One operation's place: the path, as an expression that begins with `prefix`, and what else
    must be there."""

    operation: OperationModel
    prefix: str
    expression: str
    labels: tuple[str, ...]
    fixed: Mapping[str, str | None]
    literals: int
    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()

    def fits(self, query: Mapping[str, str], headers: Mapping[str, str]) -> bool:
        """Whether everything but the path is as this operation needs it."""
        return (
            all(name in query and want in (None, query[name]) for name, want in self.fixed.items())
            and all(name in query for name in self.query)
            and all(name in headers for name in self.headers)
        )

    @property
    def place(self) -> tuple[str, str, frozenset[tuple[str, str | None]]]:
        """What rivals share, which only what they require besides tells apart."""
        return self.operation.method, self.expression, frozenset(self.fixed.items())

    @property
    def rank(self) -> tuple[int, int, bool]:
        """How particular the route is: literal path parts, then conditions, then not retired."""
        conditions = 4 * len(self.fixed) + len(self.query) + len(self.headers)
        return (self.literals, conditions, not self.operation.deprecated)


class RestRoutes:
    """The route table of one REST service."""

    def __init__(self, service: ServiceModel) -> None:
        routes = [_route(operation) for operation in service.operations()]
        rivals = Counter(route.place for route in routes)
        self._routes: dict[str, list[Route]] = {}
        for route in routes:
            # Where there is no rival the absence of what is required is the validation's affair,
            # whose answer says more than an unknown operation.
            told = route if rivals[route.place] == 1 else _told_apart(route)
            self._routes.setdefault(route.operation.method, []).append(told)
        for each in self._routes.values():
            each.sort(key=lambda route: route.rank, reverse=True)

    def find(self, request: HttpRequest) -> tuple[OperationModel, dict[str, str]] | None:
        """The operation and its decoded path labels; None if no template fits."""
        query = dict(reversed(request.query))
        for route in self._routes.get(request.method, ()):
            if not request.path.startswith(route.prefix):
                continue
            matched = _compiled(route.expression).fullmatch(request.path)
            if matched is not None and route.fits(query, request.headers):
                values = (unquote(text) for text in matched.groups())
                return route.operation, dict(zip(route.labels, values, strict=True))
        return None


def _route(operation: OperationModel) -> Route:
    path = operation.path
    return Route(
        operation=operation,
        prefix=path.partition("{")[0].rstrip("/"),
        expression=_expression(path),
        labels=tuple(label.rstrip("+") for label in _LABEL.findall(path)),
        fixed=operation.fixed_query,
        literals=len([part for part in path.split("/") if part and not part.startswith("{")]),
    )


def _told_apart(route: Route) -> Route:
    """The route with the query parameters and headers that its operation requires."""
    shape = route.operation.input
    needed = [] if shape is None else [s for s in shape.located if s[0] in shape.required]
    return replace(
        route,
        query=tuple(name for _, name, each in needed if each.location == "querystring"),
        headers=tuple(name.lower() for _, name, each in needed if each.location == "header"),
    )


def _expression(path: str) -> str:
    """A trailing slash is optional unless a greedy label takes it."""
    pieces = []
    for index, piece in enumerate(_LABEL.split(path)):
        if not index % 2:
            pieces.append(re.escape(piece))
        else:
            pieces.append("(.+)" if piece.endswith("+") else "([^/]+)")
    text = "".join(pieces)
    return text if path.endswith("+}") else text.rstrip("/") + "/?"


@cache
def _compiled(expression: str) -> re.Pattern[str]:
    """Compiled when a path may fit for the first time: most operations are never asked for."""
    return re.compile(expression, re.DOTALL)
