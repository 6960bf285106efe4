"""Dataclasses that cost little to define: each of their methods is written when it is first called.

The standard library compiles up to six methods for every dataclass while its module is imported,
half a millisecond a class. A server has hundreds of them, compares few, and makes none of some
before somebody calls a certain service: a third of its start went into methods that nobody had
called yet. What is called is what the standard library writes; from the second call on nothing
stands before it.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from typing import TYPE_CHECKING, Any, Final, NoReturn

__all__ = ["dataclass", "write_constructors"]

_NONE: Final = {"init": False, "repr": False, "eq": False}
_OPTIONS: Final = {"__init__": "init", "__repr__": "repr", "__eq__": "eq", "__hash__": "eq"}
_OF_EACH_CLASS: Final = frozenset({"__dict__", "__weakref__"})
_constructors: Final[list[Callable[[], None]]] = []


def _dataclass(
    *, frozen: bool = False, eq: bool = True, slots: bool = False
) -> Callable[[type], Any]:
    """As `dataclasses.dataclass`, for classes that inherit from no other dataclass."""

    def define(given: type) -> Any:
        if any("__dataclass_fields__" in vars(base) for base in given.__mro__[1:]):
            raise TypeError(f"{given.__qualname__} inherits from a dataclass")
        given.__doc__ = given.__doc__ or given.__name__  # else it is made of the signature
        body = {name: value for name, value in vars(given).items() if name not in _OF_EACH_CLASS}
        made: Any = dataclasses.dataclass(**_NONE, slots=slots)(given)
        for name, option in _OPTIONS.items():
            if body.get(name) is not None or (option == "eq" and not eq):
                continue
            if name == "__hash__" and not frozen:
                setattr(made, name, None)
            else:
                how = {**_NONE, option: True, "frozen": frozen}
                setattr(made, name, _unwritten(made, body, name, how))
        if frozen:
            made.__setattr__ = _refuse_to_set
            made.__delattr__ = _refuse_to_delete
        return made

    return define


def _unwritten(
    made: type, body: dict[str, Any], name: str, how: dict[str, bool]
) -> Callable[..., Any]:
    """A method that lets the standard library write itself, in its own place, when it is called."""

    def write() -> Callable[..., Any]:
        twin = type(made)(made.__name__, made.__bases__, dict(body))
        twin.__qualname__ = made.__qualname__
        define: Callable[[type], type] = dataclasses.dataclass(**how)
        written: Callable[..., Any] = vars(define(twin))[name]
        setattr(made, name, written)
        return written

    def write_and_call(self: object, /, *values: Any, **named: Any) -> Any:
        return write()(self, *values, **named)

    def write_ahead() -> None:
        if vars(made)[name] is write_and_call:
            write()

    if name == "__init__":
        _constructors.append(write_ahead)
    return write_and_call


def write_constructors(count: int) -> bool:
    """Write so many constructors ahead of their first calls, in any thread; whether more wait."""
    for write_ahead in _constructors[:count]:
        write_ahead()
    del _constructors[:count]
    return bool(_constructors)


def _refuse_to_set(_self: object, name: str, _value: object) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(_self: object, name: str) -> NoReturn:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    dataclass = _dataclass
