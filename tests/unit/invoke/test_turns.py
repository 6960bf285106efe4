"""Which version an invocation runs."""

from dataclasses import replace

import pytest

from emberbox.invoke.turns import Turns
from emberbox.model.alias import Alias
from emberbox.model.function import FunctionVersion, Logging, Managed
from emberbox.storage.catalog import Delta, FunctionCatalog

KEY = ("123456789012", "us-east-1", "f")


def version(number):
    """A version of f."""
    return FunctionVersion(
        *KEY, "r", "python3.12", "h", "p", "s", 1, "x", 0.0, Logging("g"), number
    )


def alias(name="live", revision="1", **weights):
    """An alias for version 1."""
    shares = {number.removeprefix("v"): share for number, share in weights.items()}
    return Alias(*KEY, name, "1", revision, weights=shares)


@pytest.fixture
def catalog():
    """Version 1 and 2 of f, and its alias `live` for 1."""
    made = FunctionCatalog()
    made.apply(KEY, Delta({v: version(v) for v in ("$LATEST", "1", "2")}, {"live": alias()}))
    return made


@pytest.mark.parametrize("is_published", [True, False])
def test_managed_functions_run_what_was_published_last(catalog, is_published):
    """Where nothing else is asked for, and where there is such a version."""
    versions = [version("$LATEST"), *([version("$LATEST.PUBLISHED")] if is_published else ())]
    managed = (replace(each, managed=Managed("arn")) for each in versions)
    catalog.apply(KEY, Delta.of(*managed))
    turns = Turns(catalog)

    unqualified = turns.next(KEY, None).function.version

    assert unqualified == ("$LATEST.PUBLISHED" if is_published else "$LATEST")
    assert turns.next(KEY, "$LATEST").function.version == "$LATEST"


@pytest.mark.parametrize(
    ("qualifier", "executed"),
    [(None, "$LATEST"), ("$LATEST", "$LATEST"), ("2", "2"), ("live", "1")],
)
def test_a_qualifier_means_one_version(catalog, qualifier, executed):
    """No qualifier is $LATEST, an alias its own version."""
    assert Turns(catalog).next(KEY, qualifier).function.version == executed


@pytest.mark.parametrize(
    ("name", "qualifier"), [("f", "3"), ("f", "dead"), ("g", None), ("g", "1")]
)
def test_what_is_not_there_has_no_turn(catalog, name, qualifier):
    """Neither functions nor versions nor aliases."""
    assert Turns(catalog).next((*KEY[:2], name), qualifier) is None


def test_only_turns_that_are_taken_count(catalog):
    """Who asks and does not run, as one that is throttled, takes nobody's share."""
    catalog.apply(KEY, Delta(aliases={"live": alias(v2=0.25)}))
    turns = Turns(catalog)
    ran = []

    for _ in range(100):
        for _ in range(3):
            turn = turns.next(KEY, "live")
        turns.taken(turn)
        ran.append(turn.function.version)

    assert ran.count("2") == 25


def test_the_end_of_another_function_changes_no_turn(catalog):
    """Counts are forgotten with their own function."""
    catalog.apply(KEY, Delta(aliases={"live": alias(v2=0.5)}))
    turns = Turns(catalog)
    turns.taken(turns.next(KEY, "live"))

    turns.function_changed(replace(version("$LATEST"), name="g"), None)
    second = turns.next(KEY, "live").function.version
    turns.function_changed(version("$LATEST"), None)
    first = turns.next(KEY, "live").function.version

    assert (second, first) == ("2", "1")


def test_a_changed_alias_counts_anew(catalog):
    """The share is that of the invocations since."""
    catalog.apply(KEY, Delta(aliases={"live": alias(v2=0.5)}))
    turns = Turns(catalog)
    turns.taken(turns.next(KEY, "live"))
    catalog.apply(KEY, Delta(aliases={"live": alias(revision="2", v2=0.5)}))

    ran = []
    for _ in range(4):
        turn = turns.next(KEY, "live")
        turns.taken(turn)
        ran.append(turn.function.version)

    assert ran == ["1", "2", "1", "2"]
