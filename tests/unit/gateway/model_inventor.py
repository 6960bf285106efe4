"""Invents parameters from botocore's models: valid ones, and valid ones with one thing broken."""

import random
import re
from datetime import UTC, datetime
from re import _parser as parser

_TRIES = 60
_DEPTH_MAX = 6
_REPEATS_MAX = 4
_CLASSES = {
    "CATEGORY_DIGIT": "0123456789",
    "CATEGORY_WORD": "abcxyz019_",
    "CATEGORY_SPACE": " ",
    "CATEGORY_NOT_SPACE": "abcXYZ019.-_",
}
_ANY = "abcdefghijklmnopqrstuvwxyz0123456789"


class Inventor:
    """Seeded. `known` are values for members by their names, used now and then."""

    def __init__(self, seed, known):
        self.random = random.Random(seed)
        self.known = known

    def structure(self, shape, depth=0):
        """All required members and some of the others."""
        found = {}
        for name, member in shape.members.items():
            needed = name in shape.required_members
            if needed or (depth < _DEPTH_MAX and self.random.random() < 0.4):
                found[name] = self.value(member, depth + 1, name)
        return found

    def value(self, shape, depth, name=""):
        """A value that keeps every constraint of its shape."""
        choices = self.known.get(name)
        if choices and self.random.random() < 0.8:
            return self.random.choice(choices)
        make = getattr(self, f"_{shape.type_name}")
        return make(shape, depth)

    def _structure(self, shape, depth):
        return self.structure(shape, depth)

    def _list(self, shape, depth):
        least, most = shape.metadata.get("min", 0), shape.metadata.get("max", 2)
        size = self.random.randint(least, max(least, min(most, 2)))
        return [self.value(shape.member, depth + 1) for _ in range(size)]

    def _map(self, shape, depth):
        least = shape.metadata.get("min", 0)
        size = max(least, self.random.randint(0, 2))
        return {
            self.value(shape.key, depth + 1): self.value(shape.value, depth + 1)
            for _ in range(size)
        }

    def _boolean(self, _shape, _depth):
        return self.random.random() < 0.5

    def _integer(self, shape, _depth):
        least = shape.metadata.get("min", 0)
        return self.random.choice((least, shape.metadata.get("max", least + 7)))

    _long = _integer

    def _double(self, shape, _depth):
        return float(shape.metadata.get("min", 0)) + 0.5

    _float = _double

    def _timestamp(self, _shape, _depth):
        return datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def _blob(self, _shape, _depth):
        return self.random.choice((b"{}", b"\x00\xff"))

    def _string(self, shape, _depth):
        if shape.metadata.get("enum"):
            return self.random.choice(shape.metadata["enum"])
        least, most = shape.metadata.get("min", 0), shape.metadata.get("max", 40)
        pattern = shape.metadata.get("pattern")
        if pattern is None:
            return "x" * max(least, 1 if most else 0)
        for _ in range(_TRIES):
            text = self._matching(python_pattern(pattern), least)
            if least <= len(text) <= most and re.fullmatch(python_pattern(pattern), text):
                return text
        raise AssertionError(f"no text found for {pattern}")

    def _matching(self, pattern, least):
        return "".join(self._parts(parser.parse(pattern), least))

    def _parts(self, tree, least):
        for operator, argument in tree:
            match str(operator):
                case "LITERAL":
                    yield chr(argument)
                case "NOT_LITERAL":
                    yield "a"
                case "ANY":
                    yield self.random.choice(_ANY)
                case "IN":
                    yield self._one_of(argument)
                case "BRANCH":
                    yield from self._parts(self.random.choice(argument[1]), least)
                case "SUBPATTERN":
                    yield from self._parts(argument[3], least)
                case "MAX_REPEAT" | "MIN_REPEAT":
                    low, high, inner = argument
                    high = max(low, min(int(high), max(low + _REPEATS_MAX, least)))
                    low = max(low, min(least, high))
                    for _ in range(self.random.randint(low, high)):
                        yield from self._parts(inner, 0)
                case _:
                    continue  # anchors and look-arounds: what comes out is checked

    def _one_of(self, items):
        if str(items[0][0]) == "NEGATE":
            return self.random.choice("abc")
        operator, argument = self.random.choice(items)
        match str(operator):
            case "LITERAL":
                return chr(argument)
            case "RANGE":
                return chr(self.random.randint(*argument))
            case _:
                return self.random.choice(_CLASSES[str(argument)])


def python_pattern(pattern):
    """A pattern of a model, as Python's `re` has it."""
    return pattern.replace(r"\p{L}\p{Z}\p{N}", "a-zA-Z0-9 ")


def breakages(shape):
    """What can be broken in a value of a shape: (value, part of the message) pairs."""
    match shape.type_name:
        case "string":
            yield from _of_texts(shape)
        case "integer" | "long":
            low, high = shape.metadata.get("min"), shape.metadata.get("max")
            if high is not None:
                yield high + 1, f"Member must have value less than or equal to {high}"
            if low is not None:
                yield low - 1, f"Member must have value greater than or equal to {low}"
        case "list" | "map":
            yield from _of_sizes(shape)


def _of_texts(shape):
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if shape.metadata.get("enum"):
        yield "no such thing", "Member must satisfy enum value set: ["
    if high is not None and high < 3_000:
        yield "x" * (high + 1), f"Member must have length less than or equal to {high}"
    if low and shape.serialization.get("location") != "uri":
        yield "", f"Member must have length greater than or equal to {low}"
    pattern = shape.metadata.get("pattern")
    if pattern and not re.fullmatch(python_pattern(pattern), "!\n!"):
        yield "!\n!", "Member must satisfy regular expression pattern: "


def _of_sizes(shape):
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    is_list, length = shape.type_name == "list", "Member must have length"
    if is_list and high is not None and high < 300:
        yield [_filler(shape.member)] * (high + 1), f"{length} less than or equal to {high}"
    if low and not shape.serialization.get("location"):
        yield ([] if is_list else {}), f"{length} greater than or equal to {low}"


def _filler(shape):
    return Inventor("filler", {}).value(shape, _DEPTH_MAX)


LISTED = "Member must satisfy constraint: ["
KEYS = "Map keys must satisfy constraint: ["
VALUES = "Map value must satisfy constraint: ["
NOT_NULL = "Member must not be null"
ABSENT = object()
"""Stands for a member that is left out."""
_NESTED_MAX = 7
_INNER = ("structure", "list", "map")


def nested_breakages(shape, at="", steps=(), within=()):
    """Everything that can be broken below the members of a structure.

    Yields (steps, value, path, part of the message): the steps lead `grafted` to the place, the
    path is what the message calls it. Shapes that hold themselves are gone into once.
    """
    if shape.name in within or len(steps) > _NESTED_MAX:
        return
    within = (*within, shape.name)
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            path = f"{at}.{name[:1].lower()}{name[1:]}".lstrip(".")
            if steps:
                for value, text in breakages(member):
                    yield (*steps, name), value, path, text
                if name in shape.required_members:
                    yield (*steps, name), ABSENT, path, NOT_NULL
            if member.type_name in _INNER:
                yield from nested_breakages(member, path, (*steps, name), within)
    elif shape.type_name == "list":
        yield from _elements(shape.member, at, (*steps, "[]"), f"{at}.1.member", LISTED, within)
    else:
        key = _filler(shape.key)
        for value, _ in breakages(shape.key):
            yield (*steps, "keys"), value, at, KEYS
        step = (*steps, ("value of", key))
        yield from _elements(shape.value, at, step, f"{at}.{key}.member", VALUES, within)


def _elements(shape, at, steps, path, text, within):
    """What can be broken in the elements of a list or the values of a map."""
    if shape.type_name in _INNER:
        for value, each in breakages(shape):
            yield steps, value, path, each
        yield from nested_breakages(shape, path, steps, within)
        return
    for value, _ in breakages(shape):
        yield steps, value, at, text


def grafted(inventor, shape, steps, value):
    """A valid value of a shape, but for what stands where the steps lead."""
    if not steps:
        return value
    step, *rest = steps
    if step == "[]":
        return [grafted(inventor, shape.member, rest, value)]
    if step == "keys":
        return {value: _filler(shape.value)}
    if isinstance(step, tuple):
        return {step[1]: grafted(inventor, shape.value, rest, value)}
    made = inventor.structure(shape)
    if not rest and value is ABSENT:
        made.pop(step, None)
    else:
        made[step] = grafted(inventor, shape.members[step], rest, value)
    return made
