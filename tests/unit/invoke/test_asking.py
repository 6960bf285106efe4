"""How an Invoke call names its function, and what it hears if it names none."""

import pytest

from emberbox.errors import CallerError
from emberbox.invoke.asking import reference_of, refuse_execution_name


@pytest.mark.parametrize(
    ("function", "qualifier", "texts"),
    [
        ("f g", None, ["'f g' at 'functionName'", "regular expression pattern: (arn:"]),
        ("f:", None, ["'f:' at 'functionName'", "regular expression pattern: (arn:"]),
        ("a" * 257, None, ["at 'functionName'", "have length less than or equal to 256"]),
        ("f", "a b", ["'a b' at 'qualifier'", "regular expression pattern: \\$(LATEST"]),
        ("f", "a" * 129, ["at 'qualifier'", "have length less than or equal to 128"]),
    ],
)
def test_a_broken_constraint_is_named(function, qualifier, texts):
    """The one that is broken, and no other."""
    with pytest.raises(CallerError) as caught:
        reference_of(function, qualifier)

    assert caught.value.code == "ValidationException"
    assert caught.value.message.startswith("1 validation error detected: ")
    assert all(text in caught.value.message for text in texts)


def test_all_broken_constraints_are_in_one_error():
    """Those of the name before those of the qualifier."""
    with pytest.raises(CallerError) as caught:
        reference_of("f g", "a " * 65)

    message = caught.value.message
    assert message.startswith("3 validation errors detected: Value 'f g' at 'functionName'")
    assert message.count("at 'qualifier' failed to satisfy constraint") == 2


def test_a_name_too_long_for_any_function_is_a_name():
    """There is no such function; that is not the name's affair."""
    assert reference_of("a" * 65, "$LATEST").name == "a" * 65


def test_two_qualifiers_must_be_the_same():
    """The one in the name, and the one beside it."""
    assert reference_of("f:1", "1").qualifier == "1"
    with pytest.raises(CallerError) as caught:
        reference_of("f:1", "2")

    assert caught.value.code == "InvalidParameterValueException"


@pytest.mark.parametrize(
    ("name", "code", "text"),
    [
        ("order-1", "InvalidParameterValueException", "only valid for a durable function"),
        ("a b", "ValidationException", "pattern: [a-zA-Z0-9-_]+"),
        ("a" * 65, "ValidationException", "less than or equal to 64"),
        ("", "ValidationException", "2 validation errors detected"),
    ],
)
def test_a_name_for_a_durable_execution_is_refused(name, code, text):
    """No function is durable: to run it all the same would run it twice when it is tried again."""
    error = refuse_execution_name(name)

    assert (error.code, error.status) == (code, 400)
    assert text in error.message
