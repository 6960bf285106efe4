"""Dataclasses whose methods are written when they are first called."""

import dataclasses
import json
import subprocess
import sys
from dataclasses import FrozenInstanceError, field, fields, replace

import pytest

from emberbox.records import dataclass, write_constructors


def _frozen() -> type:
    @dataclass(frozen=True, slots=True)
    class Point:
        """A place."""

        x: int
        y: int = 2
        seen: list[int] = field(default_factory=list, compare=False)

    return Point


def _changing() -> type:
    @dataclass(slots=True)
    class Counter:
        count: int = 0

    return Counter


def test_an_instance_is_made_as_by_the_standard_library() -> None:
    """Values come by position, by name or from defaults, and factories make a new one each."""
    point = _frozen()
    one, other = point(1), point(x=1, y=2)
    assert (one.x, one.y, one.seen) == (1, 2, [])
    one.seen.append(1)
    assert other.seen == []


def test_what_is_missing_is_said_as_by_the_standard_library() -> None:
    """The first call and later ones refuse a missing value with the same words."""
    point = _frozen()
    for _ in range(2):
        with pytest.raises(TypeError, match=r"__init__\(\) missing 1 required .* 'x'"):
            point()


def test_frozen_ones_are_compared_and_hashed_by_their_fields() -> None:
    """Equal values make equal instances with equal hashes; other classes are never equal."""
    point, other = _frozen(), _frozen()
    plain = dataclasses.make_dataclass("Point", ["x", "y"], frozen=True)
    assert point(1) == point(1, 2, [3])
    assert point(1) != point(2)
    assert point(1) != other(1)
    assert hash(point(1)) == hash(point(1, 2)) == hash(plain(1, 2))


def test_frozen_ones_refuse_changes() -> None:
    """Neither fields nor other attributes can be set or deleted."""
    one = _frozen()(1)
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'x'"):
        one.x = 3
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'x'"):
        del one.x


def test_changing_ones_cannot_be_hashed() -> None:
    """What can change has no hash, and says so."""
    counter = _changing()
    assert counter() == counter(0)
    with pytest.raises(TypeError, match="unhashable"):
        hash(counter())


def test_without_eq_instances_are_only_themselves() -> None:
    """`eq=False` leaves comparison and hash those of any object."""

    @dataclass(frozen=True, slots=True, eq=False)
    class Holder:
        value: int

    one = Holder(1)
    assert one != Holder(1)
    assert len({one, Holder(1)}) == 2


def test_methods_of_the_class_itself_are_kept() -> None:
    """What the class defines is not written over."""

    @dataclass(frozen=True, slots=True)
    class Secret:
        value: str

        def __repr__(self) -> str:
            return "Secret(...)"

        def __hash__(self) -> int:
            return 7

    assert repr(Secret("x")) == "Secret(...)"
    assert hash(Secret("x")) == 7
    assert Secret("x") == Secret("x")


def test_the_library_of_dataclasses_knows_them() -> None:
    """`fields`, `replace`, patterns and the printed form work as with any dataclass."""
    point = _frozen()
    assert [each.name for each in fields(point)] == ["x", "y", "seen"]
    assert replace(point(1), y=5) == point(1, 5)
    assert repr(point(1)).endswith("Point(x=1, y=2, seen=[])")
    match point(4, 5):
        case point(x, y):
            assert (x, y) == (4, 5)


def test_one_cannot_inherit_from_another() -> None:
    """The fields of a base would be left out, so it is refused when the class is defined."""
    with pytest.raises(TypeError, match="Child inherits from a dataclass"):

        @dataclass(slots=True)
        class Child(_changing()):  # type: ignore[misc]
            more: int = 1


def test_defining_one_compiles_nothing() -> None:
    """Code is compiled at the first call of a method, not when the class is defined."""
    program = (
        "import json, sys, emberbox.records as records\n"
        "heard = []\n"
        "sys.addaudithook(lambda name, _: heard.append(name) if name == 'compile' else None)\n"
        "@records.dataclass(frozen=True, slots=True)\n"
        "class Point:\n"
        "    x: int\n"
        "defined = len(heard)\n"
        "Point(1)\n"
        "print(json.dumps([defined, len(heard) > 0]))\n"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert json.loads(told.stdout) == [0, True]


def test_constructors_may_be_written_ahead() -> None:
    """What is made afterwards finds them compiled."""
    point = _frozen()
    unwritten = point.__init__

    while write_constructors(1_000):
        pass

    written = point.__init__
    assert written is not unwritten
    assert point(1).y == 2
    assert point.__init__ is written


def test_what_was_called_is_not_written_again() -> None:
    """A class that has made an instance keeps the constructor it has."""
    point = _frozen()
    point(1)
    written = point.__init__

    while write_constructors(1_000):
        pass

    assert point.__init__ is written
