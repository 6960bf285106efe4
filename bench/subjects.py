"""The functions that are measured, and how they come to exist on a server."""

import io
import time
import zipfile
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.config import Config

SOURCES = {
    "hello": "def handler(event, context):\n    return {'statusCode': 200, 'body': 'hello'}\n",
    "print": (
        "def handler(event, context):\n"
        "    print('one line of a function')\n"
        "    return {'statusCode': 200, 'body': 'hello'}\n"
    ),
    "echo": "def handler(event, context):\n    return event\n",
    "sleep50": "import time\ndef handler(event, context):\n    time.sleep(0.05)\n    return {}\n",
    "sleep200": "import time\ndef handler(event, context):\n    time.sleep(0.2)\n    return {}\n",
    "stamps": (
        "import time\ndef handler(event, context):\n"
        "    for _ in range(5):\n"
        "        yield '<%.9f>' % time.monotonic()\n"
        "        time.sleep(0.002)\n"
    ),
    "blocks": (
        "import time\ndef handler(event, context):\n"
        "    for _ in range(event['mb'] * 16):\n"
        "        yield (b'<%.9f>' % time.monotonic()).ljust(65536, b'x')\n"
    ),
    "numbered": "def handler(event, context):\n    print('ran', event['n'])\n",
    "fails": "def handler(event, context):\n    raise ValueError('on purpose')\n",
    "exits": "import os\ndef handler(event, context):\n    os._exit(3)\n",
    "slow": "import time\ndef handler(event, context):\n    time.sleep(30)\n",
    "hungry": "def handler(event, context):\n    return len(bytearray(1 << 30))\n",
    "broken": "import a_module_that_is_not_there\n",
}
ROLE = "arn:aws:iam::123456789012:role/bench"
_ACTIVE_S = 30.0
# Processor time comes with memory. With a whole processor the platform is measured, not the limit.
WHOLE_PROCESSOR_MB = 1_769


def package(source: str) -> bytes:
    """A zip with the source as its only module."""
    return package_of({"subject.py": source})


def package_of(files: Mapping[str, str | bytes]) -> bytes:
    """A zip of files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return out.getvalue()


class Subjects:
    """Creates, changes and deletes functions through the public API."""

    def __init__(self, url: str) -> None:
        self._lambda: Any = boto3.client(
            "lambda",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="emberbox",
            aws_secret_access_key="emberbox",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=60),
        )
        self._count = 0

    def create(self, kind: str, *, memory_mb: int = 128, timeout_s: int = 30) -> tuple[str, float]:
        """A new function of its own code; its name, and the seconds until it was Active."""
        # A comment of its own gives each function a package of its own.
        code = package(f"# {self._count}\n{SOURCES[kind]}")
        name = f"bench-{kind}-{self._next()}"
        return name, self._create(name, "python3.12", "subject.handler", code, memory_mb, timeout_s)

    def create_of(self, runtime: str, handler: str, files: Mapping[str, str | bytes]) -> str:
        """A new function of any runtime, with a whole processor; its name."""
        name = f"bench-{self._next()}"
        self._create(name, runtime, handler, package_of(files), WHOLE_PROCESSOR_MB, 30)
        return name

    def _next(self) -> int:
        self._count += 1
        return self._count

    def _create(
        self, name: str, runtime: str, handler: str, code: bytes, memory_mb: int, timeout_s: int
    ) -> float:
        began = time.perf_counter()
        made = self._lambda.create_function(
            FunctionName=name,
            Runtime=runtime,
            Role=ROLE,
            Handler=handler,
            Code={"ZipFile": code},
            MemorySize=memory_mb,
            Timeout=timeout_s,
        )
        if made["State"] != "Active":
            self._await(name, "State", "Active")
        return time.perf_counter() - began

    def update(self, name: str, source: str) -> None:
        """Give it other code and wait until that is in force."""
        answer = self._lambda.update_function_code(FunctionName=name, ZipFile=package(source))
        if answer["LastUpdateStatus"] != "Successful":
            self._await(name, "LastUpdateStatus", "Successful")

    def delete(self, name: str) -> None:
        """Delete it."""
        self._lambda.delete_function(FunctionName=name)

    @property
    def client(self) -> Any:
        """The boto3 client behind it."""
        return self._lambda

    def close(self) -> None:
        """Close the client's connections."""
        self._lambda.close()

    def _await(self, name: str, member: str, wanted: str) -> None:
        end = time.perf_counter() + _ACTIVE_S
        while time.perf_counter() < end:
            found = self._lambda.get_function_configuration(FunctionName=name)[member]
            if found == wanted:
                return
        raise TimeoutError(f"{name} was not {wanted} within {_ACTIVE_S:.0f} s")
