"""Which operations of Lambda the tests exercise, and how: `python -m tools.exercised`.

Runs the tests of the Lambda API and writes down what they called: whether an operation was ever
answered or only refused, which file tests it most, and which one does through real clients. The
page of operations is made from that. As a pytest plugin (`-p tools.exercised`) this module watches.
"""

import json
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import botocore.session
from botocore import xform_name

from emberbox.functions.service import FunctionsService
from emberbox.gateway.catalog import SERVICES

ROOT = Path(__file__).parent.parent
RECORD = Path(__file__).with_suffix(".json")
TESTS = "tests/unit/functions"
_CALL = re.compile(r'"lambda",\s*"(\w+)"')
_METHOD = re.compile(r"\.(\w+)\(")

_built: set[str] = set()
_tests: dict[str, set[str]] = defaultdict(set)
_answered: set[str] = set()


def _watched(name: str, operation: Any) -> Any:
    async def call(context: Any, params: Any) -> Any:
        _tests[name].add(os.environ["PYTEST_CURRENT_TEST"].partition(" ")[0])
        answer = await operation(context, params)
        _answered.add(name)
        return answer

    return call


def pytest_configure() -> None:
    """Watch every service that a test makes."""
    make = FunctionsService.__init__

    def made(self: FunctionsService, *args: Any, **options: Any) -> None:
        make(self, *args, **options)
        _built.update(self.operations)
        self.operations = {name: _watched(name, each) for name, each in self.operations.items()}

    FunctionsService.__init__ = made  # type: ignore[method-assign]


def pytest_sessionfinish(exitstatus: int) -> None:
    """Write down what was seen, if all went well."""
    if exitstatus != 0:
        return
    unseen = sorted(_built - _tests.keys())
    if unseen:
        raise SystemExit(f"no test of {TESTS} calls {', '.join(unseen)}")
    clients = _by_clients()
    record: dict[str, dict[str, Any]] = {}
    for name in sorted(_tests.keys() | clients.keys()):
        files = Counter(test.partition("::")[0] for test in _tests.get(name, ()))
        record[name] = {
            "answered": name in _answered or name not in _tests,
            "by": _most(files),
            "clients": _most(clients.get(name, Counter())),
        }
    RECORD.write_text(json.dumps(record, indent=1) + "\n", "utf-8")


def _most(files: "Counter[str]") -> str | None:
    """The file that is counted most, the first by name among equals."""
    return min(files, key=lambda file: (-files[file], file), default=None)


def _by_clients() -> dict[str, "Counter[str]"]:
    """How often files of system tests name an operation that they call through real clients."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    names = names_of_operations()
    for path in sorted((ROOT / "tests" / "system").rglob("test_*.py")):
        text, file = path.read_text("utf-8"), str(path.relative_to(ROOT))
        for name in (*_CALL.findall(text), *_METHOD.findall(text)):
            if name in names:
                found[names[name]][file] += 1
    return found


def names_of_operations() -> dict[str, str]:
    """What tests call operations of Lambda: by their names, or by the methods of boto3's client.

    A method that the client of another service has, too, says nothing.
    """
    session = botocore.session.Session()
    operations = {each: session.get_service_model(each).operation_names for each in SERVICES}
    own = operations.pop("lambda")
    others = {name for names in operations.values() for name in names}
    methods = {xform_name(name): name for name in own if name not in others}
    return {**methods, **{name: name for name in own}}


def main() -> int:
    """Run the tests and write the record."""
    command = [sys.executable, "-m", "pytest", "-p", "tools.exercised", TESTS]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
