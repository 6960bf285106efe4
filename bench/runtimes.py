"""First and warm invokes of each language that this host has."""

import asyncio
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.client import Answer, connect
from bench.measures import Bench, Figures
from bench.statistics import median_ms
from emberbox.runtimes.program import BOOTSTRAPS

_FRESH = 20
_WARM_CALLS = 500
# Longer than a server waits before it makes a blank sandbox in the place of one that was taken.
_PAUSE_S = 0.25
_JAVA = """
package example;
public class Subject {
    public static java.util.Map<String, Object> handle(java.util.Map<String, Object> event) {
        return java.util.Collections.singletonMap("statusCode", 200);
    }
}
"""


@dataclass(frozen=True, slots=True)
class Language:
    """What is measured of a language: `needs` is the command that it cannot do without."""

    runtime: str
    handler: str
    needs: str
    files: Mapping[str, str]


LANGUAGES = {
    "python": Language(
        "python3.12",
        "subject.handler",
        "python3",
        {"subject.py": "def handler(event, context):\n    return {'statusCode': 200}\n"},
    ),
    "nodejs": Language(
        "nodejs20.x",
        "subject.handler",
        "node",
        {"subject.js": "exports.handler = async () => ({ statusCode: 200 });\n"},
    ),
    "ruby": Language(
        "ruby3.4",
        "subject.handler",
        "ruby",
        {"subject.rb": "def handler(event:, context:) = { statusCode: 200 }\n"},
    ),
    "java": Language("java21", "example.Subject::handle", "javac", {}),
}


async def measure_runtimes(bench: Bench) -> Figures:
    """Fresh functions of each language, one after the other; then one of them again and again."""
    figures: Figures = {}
    for name, language in LANGUAGES.items():
        if shutil.which(language.needs):
            figures |= await _measure(bench, name, language)
    return figures


async def _measure(bench: Bench, name: str, language: Language) -> Figures:
    files = dict(language.files) or _compiled()
    connection = await connect(bench.server.url)
    first, warm = [], []
    for n in range(_FRESH):
        function = await asyncio.to_thread(
            bench.subjects.create_of, language.runtime, language.handler, {**files, "n": str(n)}
        )
        await asyncio.sleep(_PAUSE_S)
        request = bench.request(function)
        first.append(_good(await connection.call(request)).seconds)
        calls = _WARM_CALLS if n == _FRESH - 1 else 0
        warm += [_good(await connection.call(request)).seconds for _ in range(calls)]
        await asyncio.to_thread(bench.subjects.delete, function)
    connection.close()
    # The first of all waits for what is made once on a host, as the Java runtime's classes.
    return {f"{name}_first_ms": median_ms(first[1:]), f"{name}_warm_ms": median_ms(warm)}


def _compiled() -> dict[str, str | bytes]:
    with TemporaryDirectory() as place:
        source = Path(place) / "Subject.java"
        source.write_text(_JAVA, "utf-8")
        options = ["--release", "8", "-nowarn", "-sourcepath", str(BOOTSTRAPS / "java")]
        subprocess.run(
            ["javac", *options, "-d", place, str(source)], check=True, capture_output=True
        )
        made = Path(place) / "example" / "Subject.class"
        return {"example/Subject.class": made.read_bytes()}


def _good(answer: Answer) -> Answer:
    if not answer.is_good:
        raise RuntimeError(f"an invocation failed: {answer.status} {answer.body[:300]!r}")
    return answer
