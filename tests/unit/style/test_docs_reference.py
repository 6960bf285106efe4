"""The documentation says what the code says now."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import botocore.session

from emberbox.functions.unbuilt import _UNBUILT
from emberbox.isolation.levels import Level
from emberbox.model.configuration import RESERVED_VARIABLES
from tools.exercised import names_of_operations

ROOT = Path(__file__).parents[3]
PROMISED_AT = ("limited", "namespaces", "namespaces, confined", "all")


def test_generated_pages_are_fresh():
    """`make docs` would change nothing."""
    done = subprocess.run(
        [sys.executable, "-m", "tools.reference", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def test_the_page_of_lambda_operations_has_each_once():
    """All of AWS's model, and nothing that is no operation."""
    text = (ROOT / "docs" / "reference" / "lambda-operations.md").read_text("utf-8")
    model = botocore.session.Session().get_service_model("lambda")

    listed = re.findall(r"^\| (\w+) \|", text, re.MULTILINE)[1:]
    assert listed == sorted(model.operation_names)


def test_no_operation_is_complete_that_refuses_settings():
    """The page names what is refused, for each operation that a client can ask for it."""
    text = (ROOT / "docs" / "reference" / "lambda-operations.md").read_text("utf-8")
    model = botocore.session.Session().get_service_model("lambda")

    taking = {
        name: _UNBUILT.keys() & model.operation_model(name).input_shape.members.keys()
        for name in ("CreateFunction", "UpdateFunctionConfiguration")
    }
    for name, members in taking.items():
        row = re.search(rf"^\| {name} \|(.*)$", text, re.MULTILINE)[1]
        assert row.startswith(" in part: ")
        assert not {member for member in members if member.lower() not in row.lower()}


def test_operations_are_known_by_their_methods_too():
    """But not by those that clients of other services have."""
    names = names_of_operations()

    assert names["create_function"] == names["CreateFunction"] == "CreateFunction"
    assert "add_permission" not in names
    assert names["AddPermission"] == "AddPermission"


def between(page, begin, end):
    """The text of a page between two comments."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    return text.split(f"<!-- {begin} -->")[1].split(f"<!-- {end} -->")[0]


def test_settings_that_are_refused_are_listed():
    """Every setting that is not built stands on the page of differences, and no other does."""
    listed = between(
        "reference/differences-from-aws.md",
        "unbuilt settings: a test compares",
        "end of unbuilt settings",
    )
    values = {"Zip", "ZipFile", "Active", "LogFormat", "JSON", "custom", "REFERENCE"}

    assert set(re.findall(r"`([^`]+)`", listed)) - values == set(_UNBUILT)


def test_reserved_variables_are_listed():
    """Every variable that a function's configuration may not set stands on the page."""
    text = (ROOT / "docs" / "reference" / "environment.md").read_text("utf-8")

    # AWS_ACCESS_KEY is refused as AWS refuses it, but it is not set.
    assert {n for n in RESERVED_VARIABLES if f"`{n}`" not in text} == {"AWS_ACCESS_KEY"}


def test_each_promise_names_its_test():
    """The promises of isolation and the attacks on them are the same list."""
    listed = between("explanation/isolation.md", "promises: a test compares", "end of promises")
    places = (ROOT / "tests" / "system" / "security").glob("test_*.py")
    attacks = "\n".join(place.read_text("utf-8") for place in places)
    tests = set(re.findall(r"^def (test_\w+)", attacks, re.MULTILINE))

    # That bad requests are refused is no promise of isolation.
    assert set(re.findall(r"`(test_\w+)`", listed)) == tests - {"test_bad_functions_are_refused"}


def test_each_promise_says_where_it_holds():
    """The last column of the promises is one of the words that the page explains."""
    listed = between("explanation/isolation.md", "promises: a test compares", "end of promises")
    rows = [line for line in listed.splitlines() if "`test_" in line]

    assert rows
    assert {row.split("|")[-2].strip() for row in rows} <= set(PROMISED_AT)


def test_levels_are_listed():
    """The page has every level, from the best down."""
    listed = between("explanation/isolation.md", "levels: a test compares", "end of levels")

    assert re.findall(r"^\| `([\w-]+)`", listed, re.MULTILINE) == [level.value for level in Level]


def test_layers_on_the_page_are_those_of_the_contract():
    """The picture of the layers is the one that is proved."""
    text = (ROOT / "docs" / "explanation" / "architecture.md").read_text("utf-8")
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    layers = contracts["tool"]["importlinter"]["contracts"][0]["layers"]

    for layer in set(layers) - {"__main__", layers[-1]}:
        assert re.search(rf"^{re.escape(layer)} ", text, re.MULTILINE), layer
