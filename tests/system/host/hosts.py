"""Servers on hosts of many kinds, made on this one: other users, fewer powers, no namespaces."""

import io
import itertools
import os
import shutil
import subprocess
import sys
import zipfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from hands import Boto3Hands
from material import ROLE, make_zip

from tools.running import running

ROOT = Path(__file__).parents[3]
_numbers = itertools.count(1)


def zip_of(files):
    """A zip of files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return out.getvalue()


class Host:
    """A running server and hands for it; functions are made from source."""

    def __init__(self, server, hands):
        self.server = server
        self.hands = hands
        self.level = ""

    def function(self, source, **configuration):
        """The name of a new Python function."""
        runtime = configuration.pop("Runtime", "python3.11")
        code = make_zip(lambda_function=source)
        return self.packed(code, runtime, "lambda_function.handler", **configuration)

    def zipped(self, runtime, handler, files, **configuration):
        """The name of a new function of any language."""
        return self.packed(zip_of(files), runtime, handler, **configuration)

    def packed(self, package, runtime, handler, **configuration):
        """The name of a new function from a zip as it is."""
        name = f"h{os.getpid()}-{next(_numbers)}"
        self.hands.call(
            "lambda",
            "CreateFunction",
            FunctionName=name,
            Runtime=runtime,
            Role=ROLE,
            Handler=handler,
            Code={"ZipFile": package},
            **{"MemorySize": 512, "Timeout": 20, **configuration},
        )
        return name

    def layer(self, files):
        """The ARN of a new layer."""
        name = f"h{os.getpid()}-{next(_numbers)}"
        content = {"ZipFile": zip_of(files)}
        return self.hands.call("lambda", "PublishLayerVersion", LayerName=name, Content=content)[
            "LayerVersionArn"
        ]

    def invoke(self, name, payload=b"{}", **options):
        """One invocation."""
        return self.hands.invoke(name, payload, **options)


@contextmanager
def serving(place, *arguments, program=(sys.executable, "-m", "emberbox"), data=None):
    """A server of this kind, its log quiet at the end."""
    with running(data or place / "data", place / "log", *arguments, program=program) as server:
        hands = Boto3Hands(server.url)
        try:
            yield Host(server, hands)
        finally:
            hands.close()
    said = (place / "log").read_text("utf-8", "replace")
    assert "Traceback" not in said, said
    assert " ERROR " not in said, said


class OrdinaryUser:
    """A user made for the test: `program` runs the server as that user, `home` is its own."""

    def __init__(self, name):
        self.name = name
        self.home = Path("/home") / name

    @property
    def program(self):
        """What runs the server: this project's code, on an interpreter that the user may run."""
        return self.running()

    def running(self, *before):
        """The same, with another program of ours before it."""
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        packages = next(p for p in sys.path if p.endswith("site-packages"))
        python = f"/usr/bin/{version}"
        return (
            "setpriv", "--reuid", self.name, "--regid", self.name, "--clear-groups",
            "env", "-C", str(self.home), f"HOME={self.home}",
            f"PYTHONPATH={ROOT / 'src'}:{packages}", "PYTHONDONTWRITEBYTECODE=1",
            *((python, *before) if before else ()), python, "-m", "emberbox",
        )  # fmt: skip


@contextmanager
def an_ordinary_user():
    """An ordinary user with nothing delegated; gone at the end."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    if os.geteuid() != 0 or shutil.which("useradd") is None:
        pytest.skip("needs root to make a user")
    if not Path(f"/usr/bin/{version}").exists():
        pytest.skip(f"an ordinary user cannot run {version} here")
    name = f"embuser{os.getpid()}n{next(_numbers)}"
    subprocess.run(["useradd", "--create-home", name], check=True)
    try:
        yield OrdinaryUser(name)
    finally:
        subprocess.run(["userdel", "--remove", name], check=False, capture_output=True)


NO_NAMESPACES = str(Path(__file__).parent / "no_namespaces.py")
# Version 2 is unmounted from beside the controllers of version 1.
_ONLY_V1 = 'mount --make-rprivate / && umount /sys/fs/cgroup/unified && exec "$0" "$@"'
OWN = (sys.executable, "-m", "emberbox")

# Name of the kind of host: (level, options, program that a root or an ordinary user runs, who).
KINDS = {
    "root": ("root-*", (), OWN, "root"),
    "root, only version 1": (
        "root-v1",
        (),
        ("unshare", "--mount", "sh", "-c", _ONLY_V1, *OWN),
        "root",
    ),
    "root, watched": ("watched", ("--isolation", "watched"), OWN, "root"),
    "user": ("watched", (), (), "user"),
    "root without namespaces": (
        "confined",
        (),
        # Without a home, so that no interpreter is found where only root can enter.
        ("env", "HOME=/var/empty", sys.executable, NO_NAMESPACES, *OWN),
        "root",
    ),
    "user without namespaces": ("confined", (), (NO_NAMESPACES,), "user"),
    "process": ("process", ("--isolation", "process"), (), "user"),
}


@contextmanager
def host_of_kind(kind, place, user):
    """A server on a host of that kind; `place` is a fresh directory."""
    level, options, program, who = KINDS[kind]
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if "only version 1" in kind and not Path("/sys/fs/cgroup/unified").is_mount():
        pytest.skip("no hybrid control groups here")
    data = place / "data"
    if who == "user":
        data = user.home / f"data{next(_numbers)}"
        program = user.running(*program)
    with serving(place, *options, program=program, data=data) as host:
        host.level = level
        yield host
