"""Languages are found where distributions and version managers put them, without running them."""

import sys

import pytest

from emberbox.runtimes import java, nodejs, python, ruby
from emberbox.runtimes.interpreter import Interpreter
from emberbox.runtimes.program import Search


@pytest.fixture
def search(tmp_path):
    """A host with nothing in the home directory, and a Python for zygotes."""
    pythons = {(3, 11): Interpreter("/usr/bin/python3.11", "/usr", (3, 11))}
    return Search(tmp_path, tmp_path / "cache", pythons)


@pytest.fixture
def bare(monkeypatch):
    """As if no language were installed outside of the home directory."""
    monkeypatch.setattr(nodejs, "_DIRECTORIES", ())
    monkeypatch.setattr(ruby, "_DIRECTORIES", ())
    monkeypatch.setattr(java, "_PLACES", ())


def executable(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(0o755)
    return path


def inside(program):
    """Paths of the host that a program's sandboxes show."""
    return [source for source, _ in program.binds]


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    "place",
    [
        ".nvm/versions/node/v22.3.0/bin/node",
        ".local/share/fnm/node-versions/v22.3.0/installation/bin/node",
        ".nodenv/versions/22.3.0/bin/node",
        ".volta/tools/image/node/22.3.0/bin/node",
    ],
)
def test_nodejs_of_version_managers(search, place):
    """The version is in the path, and the whole installation is shown in the sandbox."""
    program = executable(search.home / place)

    [found] = nodejs.NODEJS.find(search)

    assert (found.name, found.version) == ("node22", (22,))
    assert str(program.parent.parent) in inside(found)
    assert found.links == {"/var/lang/bin/node": str(program)}


@pytest.mark.usefixtures("bare")
def test_nodejs_is_told_by_its_headers(search):
    """They stand beside it, and go before the path."""
    program = executable(search.home / ".nvm/versions/node/v1.0.0/bin/node")
    header = program.parent.parent / "include" / "node" / "node_version.h"
    header.parent.mkdir(parents=True)
    header.write_text("#define NODE_MAJOR_VERSION 24\n#define NODE_MINOR_VERSION 1\n")

    [found] = nodejs.NODEJS.find(search)

    assert found.version == (24,)


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("place", "version"),
    [
        (".rbenv/versions/3.4.1/bin/ruby", (3, 4)),
        (".rubies/ruby-3.3.6/bin/ruby", (3, 3)),
        (".asdf/installs/ruby/3.2.0/bin/ruby", (3, 2)),
    ],
)
def test_ruby_of_version_managers(search, place, version):
    """The version is in the path."""
    program = executable(search.home / place)

    [found] = ruby.RUBY.find(search)

    assert found.version == version
    assert str(program.parent.parent) in inside(found)


@pytest.mark.usefixtures("bare")
def test_java_needs_one_compiler_for_all(search):
    """A JRE counts once there is a JDK of whatever version; the file `release` tells versions."""
    for name, version in (("8-jre", "1.8.0_402"), ("21-jre", "21.0.2"), ("17-jdk", "17.0.9")):
        home = search.home / ".sdkman/candidates/java" / name
        executable(home / "bin" / "java")
        (home / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    assert list(java.JAVA.find(search)) == []

    executable(search.home / ".sdkman/candidates/java/17-jdk/bin/javac")

    assert sorted(program.version for program in java.JAVA.find(search)) == [(8,), (17,), (21,)]


def test_python_of_this_server_is_always_found(tmp_path):
    """Whatever else there is, functions can run on the version that runs this test."""
    assert sys.version_info[:2] in python.discover(tmp_path)
