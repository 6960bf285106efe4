"""Functions of all languages, made when a test first asks for them."""

import os

import pytest
from languages import LANGUAGES, package
from material import ROLE


def pytest_collection_modifyitems(items):
    """The first test that needs a program of another language waits until it is built."""
    for item in items:
        if "tests/system/runtimes" in str(item.path):
            item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(scope="session")
def functions(boto):
    """Makes a function of these files, once for each set of arguments; its name."""
    made = {}

    def make(key, runtime, handler, files, **configuration):
        if key in made:
            return made[key]
        name = f"runtime-{os.getpid()}-{len(made)}"
        boto.call(
            "lambda",
            "CreateFunction",
            FunctionName=name,
            Runtime=runtime,
            Role=ROLE,
            Handler=handler,
            Code={"ZipFile": package(files)},
            **{"MemorySize": 512, "Timeout": 20, **configuration},
        )
        boto.wait("lambda", "FunctionActiveV2", FunctionName=name)
        made[key] = name
        return name

    yield make
    for name in made.values():
        boto.call("lambda", "DeleteFunction", FunctionName=name)


@pytest.fixture(params=LANGUAGES, ids=lambda column: column.name)
def column(request):
    """Each language that can be had here."""
    lacking = request.param.lacks()
    if lacking:
        pytest.skip(lacking)
    return request.param


@pytest.fixture
def actions(column, functions):
    """The name of a language's function with all actions; a kind of it has its own settings."""

    def make(kind="plain", **configuration):
        key = (column.name, kind)
        return functions(key, column.runtime, column.handler, column.files(), **configuration)

    return make
