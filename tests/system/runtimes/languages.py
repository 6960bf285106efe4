"""The columns of the conformance suite: each language with its program and its own words.

Another runtime is one more entry of LANGUAGES: a program that does the actions, and what AWS's
runtime of that language says when things go wrong.
"""

import io
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from builds import or_skip

import emberbox.runtimes.program
from tools.building import go_function

PROGRAMS = Path(__file__).parent / "programs"
OUR_JAVA = emberbox.runtimes.program.BOOTSTRAPS / "java"


Files = Callable[[], Mapping[str, bytes]]


@dataclass(frozen=True)
class Broken:
    """Code that cannot be loaded, and what is said about it: a type, and a pattern of the text."""

    files: Mapping[str, str] | Files
    handler: str
    error_type: str
    message: str


@dataclass(frozen=True)
class Column:
    """One language. `files` gives its program's package, `lacks` says why it cannot be had here."""

    name: str
    runtime: str
    handler: str
    files: Files
    failure: str
    unserialisable: tuple[str, str]
    broken: Mapping[str, Broken]
    lacks: Callable[[], str] = lambda: ""
    trace: str = "trace"
    exhausted: str = "killed"
    small_mb: int = 128
    limit_s: int = 3  # a time limit within which it can begin anew
    absent: frozenset[str] = field(default_factory=frozenset)


def program(*names: str) -> Files:
    """A package of files of the programs folder as they are."""
    return lambda: {name: (PROGRAMS / name).read_bytes() for name in names}


def java(*names: str, jars: Callable[[], Path] | None = None) -> Files:
    """A package of classes, compiled here from files of the programs folder, with these jars."""

    @cache
    def compiled() -> Mapping[str, bytes]:
        with TemporaryDirectory() as place:
            sources = [str(PROGRAMS / name) for name in names]
            options = ["--release", "8", "-nowarn", "-sourcepath", str(OUR_JAVA), "-d", place]
            packed = sorted(jars().glob("*.jar")) if jars else []
            options += ["-classpath", ":".join(map(str, packed))]
            subprocess.run(["javac", *options, *sources], check=True, capture_output=True)
            found = (Path(place) / "example").glob("*.class")
            classes = {f"example/{file.name}": file.read_bytes() for file in found}
            return classes | {f"lib/{jar.name}": jar.read_bytes() for jar in packed}

    return compiled


def needs(command: str, package: str) -> Callable[[], str]:
    """Why a language cannot be tested: "" if its command is there."""
    return lambda: "" if shutil.which(command) else f"no {command}: apt install {package}"


def package(files: Mapping[str, bytes | str]) -> bytes:
    """A zip of files; those without a suffix are programs."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0))
            entry.external_attr = (0o644 if "." in Path(name).name else 0o755) << 16
            archive.writestr(entry, content)
    return out.getvalue()


PYTHON = Column(
    name="python",
    runtime="python3.12",
    handler="actions.handler",
    files=program("actions.py"),
    failure="ValueError",
    unserialisable=("Runtime.MarshalError", "Unable to marshal response: Circular reference.*"),
    trace="stackTrace",
    broken={
        "missing": Broken(
            {"f.py": ""},
            "f.nothing",
            "Runtime.HandlerNotFound",
            "Handler 'nothing' missing on module 'f'",
        ),
        "import": Broken(
            {"f.py": "import nowhere"},
            "f.handler",
            "Runtime.ImportModuleError",
            "Unable to import module 'f': No module named 'nowhere'",
        ),
        "syntax": Broken(
            {"f.py": "def handler(:"}, "f.handler", "Runtime.UserCodeSyntaxError", "Syntax error.*"
        ),
        "top": Broken({"f.py": "1 / 0"}, "f.handler", "ZeroDivisionError", "division by zero"),
    },
)

NODEJS = Column(
    name="nodejs",
    runtime="nodejs20.x",
    handler="actions.handler",
    files=program("actions.js"),
    failure="RangeError",
    unserialisable=("Error", "Unable to stringify response body"),
    lacks=needs("node", "nodejs"),
    broken={
        "missing": Broken(
            {"f.js": ""},
            "f.nothing",
            "Runtime.HandlerNotFound",
            "f.nothing is undefined or not exported",
        ),
        "import": Broken(
            {"f.js": "require('nowhere')"},
            "f.handler",
            "Runtime.ImportModuleError",
            "Error: Cannot find module 'nowhere'\nRequire stack:\n- /var/task/f.js\n"
            "- /var/runtime/index.mjs",
        ),
        "syntax": Broken(
            {"f.js": "exports.handler = ("},
            "f.handler",
            "Runtime.UserCodeSyntaxError",
            "SyntaxError: Unexpected end of input",
        ),
        "top": Broken(
            {"f.js": "throw new TypeError('at once')"}, "f.handler", "TypeError", "at once"
        ),
    },
)

RUBY = Column(
    name="ruby",
    runtime="ruby3.3",
    handler="actions.handler",
    files=program("actions.rb"),
    failure="Function<ArgumentError>",
    unserialisable=("Function<JSON::NestingError>", "nesting of 10[01] is too deep.*"),
    lacks=needs("ruby", "ruby"),
    trace="stackTrace",
    broken={
        "missing": Broken(
            {"f.rb": ""}, "f.nothing", "Init<NoMethodError>", "undefined method 'nothing' .*"
        ),
        "import": Broken(
            {"f.rb": "require 'nowhere'"},
            "f.handler",
            "Init<LoadError>",
            "cannot load such file -- nowhere",
        ),
        "syntax": Broken({"f.rb": "def handler("}, "f.handler", "Init<SyntaxError>", "(?s).*"),
        "top": Broken({"f.rb": "raise 'at once'"}, "f.handler", "Init<RuntimeError>", "at once"),
    },
)

JAVA = Column(
    name="java",
    runtime="java17",
    handler="example.Actions",
    files=java("Actions.java"),
    failure="java.lang.IllegalStateException",
    unserialisable=(
        "java.lang.RuntimeException",
        "An error occurred during JSON serialization of response",
    ),
    lacks=needs("javac", "default-jdk-headless"),
    trace="stackTrace",
    exhausted="java.lang.OutOfMemoryError",
    small_mb=192,
    limit_s=8,
    broken={
        "missing": Broken(
            java("Actions.java"),
            "example.Actions::nothing",
            "java.lang.NoSuchMethodException",
            "No public method named nothing with appropriate method signature found on class "
            "example.Actions",
        ),
        "import": Broken(
            {"other.txt": "no class"},
            "example.Nowhere",
            "java.lang.ClassNotFoundException",
            "Class not found: example.Nowhere",
        ),
        "top": Broken(
            java("AtOnce.java"), "example.AtOnce", "java.lang.IllegalStateException", "at once"
        ),
    },
)

GO = Column(
    name="go",
    runtime="provided.al2023",
    handler="unused",
    files=lambda: {"bootstrap": or_skip(go_function).read_bytes()},
    failure="errorString",
    unserialisable=("UnsupportedTypeError", r"json: unsupported type: func\(\)"),
    trace="",
    broken={
        "missing": Broken(
            {"other.txt": "no program"},
            "unused",
            "Runtime.InvalidEntrypoint",
            r"RequestId: \S+ Error: Couldn't find valid bootstrap\(s\): "
            r"\[/var/task/bootstrap /opt/bootstrap\]",
        ),
    },
)

LANGUAGES = (PYTHON, NODEJS, RUBY, JAVA, GO)
