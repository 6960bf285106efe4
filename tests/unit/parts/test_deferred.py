"""Services that are made at their first use."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from emberbox.model.request import Operation
from emberbox.parts.deferred import Deferred


class Made:
    name = "xray"

    def __init__(self) -> None:
        self.operations: Mapping[str, Operation] = {}


def test_a_service_is_made_when_it_is_looked_at():
    """And not before: its name is known without it."""
    made: list[Made] = []

    def make() -> Made:
        made.append(Made())
        return made[-1]

    deferred = Deferred("xray", make)

    assert deferred.name == "xray"
    assert not made
    assert deferred.operations is made[0].operations


def test_a_service_is_made_once():
    """Whoever looks, from whatever thread, sees the same."""
    made: list[Made] = []

    def make() -> Made:
        made.append(Made())
        return made[-1]

    deferred = Deferred("xray", make)
    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(lambda _: id(deferred.operations), range(100)))

    assert len(made) == 1
    assert len(set(seen)) == 1
