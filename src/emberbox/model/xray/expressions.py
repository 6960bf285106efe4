"""Filter expressions of X-Ray: `service("shop") { fault } AND annotation.customer = "7"`.

Source: "Using filter expressions" of X-Ray's guide. Root causes and JSON paths are not built and
are refused.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from emberbox.model.xray.calls import Call
from emberbox.model.xray.facts import Facts, Trace, Value, facts_of_calls

LENGTH_MAX: Final = 2_000
_DEPTH_MAX: Final = 32

_TOKEN: Final = re.compile(
    r"""\s*(?:
        (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
        |(?P<number>-?\d+(?:\.\d+)?)
        |(?P<word>[A-Za-z_][A-Za-z0-9_.]*)
        |(?P<sign><=|>=|!=|[=<>!(){}\[\],:])
    )""",
    re.VERBOSE,
)
_NUMBERS: Final = frozenset({"responsetime", "duration", "http.status"})
_TEXTS: Final = frozenset(
    {
        "http.url",
        "http.method",
        "http.useragent",
        "http.clientip",
        "user",
        "name",
        "type",
        "message",
        "resource.arn",
    }
)
_SCOPES: Final = frozenset({"service", "edge"})
_GROUPS: Final = frozenset({"group.name", "group.arn"})
_FLAGS: Final = frozenset({"ok", "error", "fault", "throttle", "partial"})
_ORDERED: Final[dict[str, Callable[[float, float], bool]]] = {
    "=": lambda found, wanted: found == wanted,
    "!=": lambda found, wanted: found != wanted,
    "<": lambda found, wanted: found < wanted,
    "<=": lambda found, wanted: found <= wanted,
    ">": lambda found, wanted: found > wanted,
    ">=": lambda found, wanted: found >= wanted,
}
_WORDED: Final[dict[str, Callable[[str, str], bool]]] = {
    "=": lambda found, wanted: found == wanted,
    "!=": lambda found, wanted: found != wanted,
    "CONTAINS": lambda found, wanted: wanted in found,
    "BEGINSWITH": lambda found, wanted: found.startswith(wanted),
    "ENDSWITH": lambda found, wanted: found.endswith(wanted),
}

Holds = Callable[[Facts, Trace | None], bool]
"""Whether an expression holds of facts; the trace where it is asked of a whole one."""


class BadExpressionError(Exception):
    """An expression that cannot be read, or that asks for what is not built."""


class _Token(NamedTuple):
    kind: str
    text: str


class Selector(NamedTuple):
    """Which calls of a trace are meant: those of a service, or those from one to another."""

    is_edge: bool
    chooses: Callable[[Call], bool]


Groups = Mapping[str, Callable[[Trace], bool]]
"""Whether a trace is of a group, by the group's name and its ARN."""

_NO_GROUPS: Final[Groups] = {}


def read_expression(text: str, groups: Groups = _NO_GROUPS) -> Callable[[Trace], bool]:
    """Whether a trace fits an expression; BadExpressionError if it is none."""
    reader = _Reader(_tokens_of(text), groups)
    if reader.is_at_end:
        return lambda _trace: True
    holds = reader.whole()
    return lambda trace: holds(trace.facts(), trace)


def asks_for_group(text: str) -> bool:
    """Whether an expression may ask for a group."""
    return any(word in text.lower() for word in _GROUPS)


def read_selector(text: str) -> Selector:
    """`service(...)` or `edge(..., ...)` alone; BadExpressionError if it is none."""
    return _Reader(_tokens_of(text), _NO_GROUPS).selector()


def _tokens_of(text: str) -> list[_Token]:
    if len(text) > LENGTH_MAX:
        raise BadExpressionError("The expression is too long.")
    return list(_tokens(text))


def _tokens(text: str) -> Iterable[_Token]:
    at = 0
    while at < len(text.rstrip()):
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            raise BadExpressionError(f"Unexpected character at position {at}.")
        at = found.end()
        yield _Token(found.lastgroup, found[found.lastgroup])


class _Reader:
    """Reads tokens from first to last; deeper nesting than anybody needs is refused."""

    def __init__(self, tokens: list[_Token], groups: Groups) -> None:
        self._tokens = tokens
        self._groups = groups
        self._at = 0
        self._depth = 0

    @property
    def is_at_end(self) -> bool:
        return self._at >= len(self._tokens)

    def whole(self) -> Holds:
        holds = self._either()
        if not self.is_at_end:
            raise BadExpressionError(f"Unexpected {self._next().text}.")
        return holds

    def selector(self) -> Selector:
        """The whole of an expression that only says which calls are meant."""
        word = self._next().text.lower()
        if word not in _SCOPES:
            raise BadExpressionError("A selector is service(...) or edge(..., ...).")
        self._expect("(")
        found = self._chosen(word)
        if not self.is_at_end:
            raise BadExpressionError(f"Unexpected {self._next().text}.")
        return found

    def _either(self) -> Holds:
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            raise BadExpressionError("The expression is nested too deeply.")
        parts = [self._all()]
        while self._takes_word("OR"):
            parts.append(self._all())
        self._depth -= 1
        return parts[0] if len(parts) == 1 else lambda f, t: any(each(f, t) for each in parts)

    def _all(self) -> Holds:
        parts = [self._negated()]
        while self._takes_word("AND"):
            parts.append(self._negated())
        return parts[0] if len(parts) == 1 else lambda f, t: all(each(f, t) for each in parts)

    def _negated(self) -> Holds:
        negations = 0
        while self._takes("!") or self._takes_word("NOT"):
            negations += 1
        holds = self._one()
        return (lambda f, t: not holds(f, t)) if negations % 2 else holds

    def _one(self) -> Holds:
        if self._takes("("):
            holds = self._either()
            self._expect(")")
            return holds
        token = self._next()
        if token.kind != "word":
            raise BadExpressionError(f"Unexpected {token.text}.")
        word = token.text.lower()
        if word in _SCOPES and self._takes("("):
            return self._scoped(word)
        if word == "annotation" or word.startswith("annotation."):
            return self._annotation(token.text)
        for words, read in (
            (_FLAGS, self._flag),
            (_NUMBERS, self._number),
            (_TEXTS, self._text),
            (_GROUPS, self._group),
        ):
            if word in words:
                return read(word)
        raise BadExpressionError(f"The keyword {token.text} is not known here.")

    # -- keywords -----------------------------------------------------------------------------

    def _flag(self, word: str) -> Holds:
        wanted = True
        if self._takes("="):
            wanted = self._truth()
        elif self._takes("!="):
            wanted = not self._truth()
        return lambda facts, _trace: facts.flags.get(word, False) is wanted

    def _number(self, word: str) -> Holds:
        sign = self._next().text
        fits = _ORDERED.get(sign)
        if fits is None:
            raise BadExpressionError(f"{word} cannot be compared by {sign}.")
        wanted = self._figure()
        return lambda facts, _trace: any(fits(f, wanted) for f in facts.numbers.get(word, ()))

    def _text(self, word: str) -> Holds:
        fits, wanted = self._comparison(word)
        return lambda facts, _trace: any(fits(f, wanted) for f in facts.texts.get(word, ()))

    def _comparison(self, word: str) -> tuple[Callable[[str, str], bool], str]:
        sign = self._next().text.upper()
        fits = _WORDED.get(sign)
        if fits is None:
            raise BadExpressionError(f"{word} cannot be compared by {sign}.")
        return fits, self._quoted()

    def _annotation(self, word: str) -> Holds:
        if self._takes("["):
            key = self._next()
            self._expect("]")
            name = _unquoted(key.text) if key.kind == "text" else key.text
        else:
            name = word.partition(".")[2]
        if not name:
            raise BadExpressionError("annotation needs a key.")
        sign = self._next().text.upper()
        wanted = self._value()
        if isinstance(wanted, str):
            worded = _WORDED.get(sign)
            if worded is not None:
                return _annotated(name, lambda v: isinstance(v, str) and worded(v, wanted))
        elif isinstance(wanted, bool):
            if sign in {"=", "!="}:
                return _annotated(name, lambda v: v is (wanted if sign == "=" else not wanted))
        elif sign in _ORDERED:
            fits = _ORDERED[sign]
            return _annotated(name, lambda v: _is_number(v) and fits(float(v), wanted))
        raise BadExpressionError(f"annotation.{name} cannot be compared by {sign}.")

    def _group(self, word: str) -> Holds:
        """`group.name` or `group.arn`, of a whole trace."""
        sign, wanted = self._next().text, self._quoted()
        if sign not in {"=", "!="}:
            raise BadExpressionError(f"{word} cannot be compared by {sign}.")
        fits = self._groups.get(wanted)
        if fits is None or wanted.startswith("arn:") is not (word == "group.arn"):
            raise BadExpressionError(f"There is no group {wanted} to be asked for here.")
        is_in = sign == "="
        return lambda _facts, trace: trace is not None and fits(trace) is is_in

    def _scoped(self, word: str) -> Holds:
        """`service(...) { ... }` or `edge(..., ...) { ... }`."""
        chooses = self._chosen(word).chooses
        inner: Holds = lambda _facts, _trace: True  # noqa: E731 - the same shape as all others
        if self._takes("{") and not self._takes("}"):
            # What is asked within is asked of calls, and a group is one of traces.
            groups, self._groups = self._groups, _NO_GROUPS
            inner = self._either()
            self._groups = groups
            self._expect("}")
        return lambda _facts, trace: _holds_of(trace, inner, chooses)

    def _chosen(self, word: str) -> Selector:
        """What stands behind `service(` or `edge(`."""
        names = [] if self._takes(")") else [self._service_id()]
        while names and self._takes(","):
            names.append(self._service_id())
        if names:
            self._expect(")")
        if len(names) > (2 if word == "edge" else 1) or (word == "edge" and len(names) != 2):
            raise BadExpressionError(f"{word} is given a wrong number of services.")
        if word == "service":
            chosen = names[0] if names else _anything
            return Selector(False, lambda call: chosen(call.service.name, call.service.type))
        caller, callee = names
        return Selector(
            True,
            lambda call: (
                callee(call.service.name, call.service.type)
                and call.caller is not None
                and caller(call.caller.name, call.caller.type)
            ),
        )

    def _service_id(self) -> Callable[[str, str], bool]:
        """A name, or `id(name: "...", type: "...")`."""
        token = self._next()
        if token.kind == "text":
            wanted = _unquoted(token.text)
            return lambda name, _kind: name == wanted
        if token.text.lower() != "id":
            raise BadExpressionError(f"A service cannot be named by {token.text}.")
        self._expect("(")
        fields: dict[str, str] = {}
        while not self._takes(")"):
            key = self._next().text.lower()
            if key not in {"name", "type"}:
                raise BadExpressionError(f"id has no field {key} here.")
            self._expect(":")
            fields[key] = self._quoted()
            self._takes(",")
        return lambda name, kind: (
            fields.get("name", name) == name and fields.get("type", kind) == kind
        )

    # -- tokens -------------------------------------------------------------------------------

    def _next(self) -> _Token:
        if self.is_at_end:
            raise BadExpressionError("The expression ends too early.")
        self._at += 1
        return self._tokens[self._at - 1]

    def _takes(self, sign: str) -> bool:
        here = not self.is_at_end and self._tokens[self._at] == _Token("sign", sign)
        self._at += here
        return here

    def _takes_word(self, word: str) -> bool:
        here = not self.is_at_end and (
            self._tokens[self._at].kind == "word" and self._tokens[self._at].text.upper() == word
        )
        self._at += here
        return here

    def _expect(self, sign: str) -> None:
        if not self._takes(sign):
            raise BadExpressionError(f"{sign} is missing.")

    def _quoted(self) -> str:
        token = self._next()
        if token.kind != "text":
            raise BadExpressionError(f"{token.text} should be a text in quotation marks.")
        return _unquoted(token.text)

    def _figure(self) -> float:
        token = self._next()
        if token.kind != "number":
            raise BadExpressionError(f"{token.text} should be a number.")
        return float(token.text)

    def _truth(self) -> bool:
        token = self._next()
        if token.text.lower() not in {"true", "false"}:
            raise BadExpressionError(f"{token.text} should be true or false.")
        return token.text.lower() == "true"

    def _value(self) -> Value:
        token = self._next()
        if token.kind == "text":
            return _unquoted(token.text)
        if token.kind == "number":
            return float(token.text)
        self._at -= 1
        return self._truth()


def _holds_of(trace: Trace | None, inner: Holds, chosen: Callable[[Call], bool]) -> bool:
    """Whether an inner expression holds of the calls of a trace that are chosen."""
    calls = [] if trace is None else [call for call in trace.calls if chosen(call)]
    return bool(calls) and inner(facts_of_calls(calls), None)


def _annotated(name: str, fits: Callable[[Value], bool]) -> Holds:
    return lambda facts, _trace: any(fits(value) for value in facts.annotations.get(name, ()))


def _anything(_name: str, _kind: str) -> bool:
    return True


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])
