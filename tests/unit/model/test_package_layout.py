"""Entries of a package stay inside it, whatever they are called."""

import posixpath
import stat
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emberbox.model import package_layout
from emberbox.model.package_layout import BadEntryError, Layout, check_links, entry_path, file_mode

AWKWARD = st.text(st.sampled_from("ab./\\\0:~ é"), max_size=12)
NAMES = st.one_of(AWKWARD, st.text(max_size=30), st.lists(AWKWARD, max_size=4).map("/".join))
PARTS = st.sampled_from(["a", "b", "c", "..", "."])
TARGETS = st.lists(PARTS, min_size=1, max_size=5).map("/".join)
LINKS = st.dictionaries(st.sampled_from(["a", "b", "d/a", "d/b", "d/e/c"]), TARGETS, max_size=5)


@given(NAMES)
def test_a_path_that_is_accepted_never_leaves_its_directory(name: str) -> None:
    """What comes out is relative, normal and below the directory it is joined to."""
    try:
        path = entry_path(name)
    except BadEntryError:
        return

    joined = posixpath.normpath(posixpath.join("/tree", path))
    assert joined in {"/tree", f"/tree/{path}"}
    assert "\\" not in path
    assert "\0" not in path


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "../x",
        "a/../../x",
        "a/..",
        "C:x",
        "c:/x",
        "a\\b",
        "a\0b",
        "a" * 256,
        "é" * 128,
        "ab/" * 342,
        "a/" * 129,
    ],
)
def test_dangerous_names_are_refused(name: str) -> None:
    """Absolute, upward, Windows, NUL and overlong names do not get in."""
    with pytest.raises(BadEntryError):
        entry_path(name)


@pytest.mark.parametrize(
    ("name", "path"), [("./a//b", "a/b"), ("a/.", "a"), ("./", ""), ("..a/b..", "..a/b..")]
)
def test_harmless_names_become_normal(name: str, path: str) -> None:
    """Dots and double slashes that mean nothing are dropped."""
    assert entry_path(name) == path


def test_the_last_of_several_entries_for_a_path_counts() -> None:
    """A file may come twice, and as a link and a file."""
    layout = Layout()

    layout.add(0, "d/x", 0)
    layout.add(1, "d/x", stat.S_IFLNK | 0o777)
    layout.add(2, "d/./x", stat.S_IFREG | 0o600)
    layout.add(3, "y", 0)
    layout.add(4, "y", stat.S_IFLNK)
    layout.check()

    assert layout.files == {"d/x": 2}
    assert layout.links == {"y": 4}
    assert layout.directories == {"d"}


@pytest.mark.parametrize("mode", [0, stat.S_IFLNK])
def test_nothing_is_placed_below_a_file_or_a_link(mode: int) -> None:
    """A path whose parent is no directory is refused, whichever comes first."""
    for names in (["a", "a/b"], ["a/b", "a"]):
        layout = Layout()
        for position, name in enumerate(names):
            layout.add(position, name, mode if name == "a" else 0)

        with pytest.raises(BadEntryError):
            layout.check()


def test_the_package_itself_cannot_be_a_file() -> None:
    """A name that means the package's own directory needs to be one."""
    layout = Layout()
    layout.add(0, ".", 0)

    with pytest.raises(BadEntryError):
        layout.check()


@pytest.mark.parametrize("kind", [stat.S_IFIFO, stat.S_IFBLK, stat.S_IFCHR, stat.S_IFSOCK])
def test_special_files_are_refused(kind: int) -> None:
    """Devices, pipes and sockets have no place in a package."""
    with pytest.raises(BadEntryError):
        Layout().add(0, "x", kind | 0o666)


def test_directories_nobody_named_count_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deep path is as many entries as it makes directories."""
    monkeypatch.setattr(package_layout, "PACKAGE_MAX_ENTRIES", 10)
    layout = Layout()

    with pytest.raises(BadEntryError, match="more than 10"):
        layout.add(0, "/".join("abcdefghijk"), 0)


@given(LINKS)
def test_links_that_are_accepted_stay_inside(targets: dict[str, str]) -> None:
    """Followed step by step as the kernel does, an accepted link never goes above the package."""
    links = {
        path: target
        for path, target in targets.items()
        if not any(path.startswith(f"{other}/") for other in targets)
    }
    try:
        check_links(links)
    except BadEntryError:
        return

    with tempfile.TemporaryDirectory() as made:
        root = Path(made).resolve()
        for path, target in links.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).symlink_to(target)
        for path in links:
            assert (root / path).resolve().is_relative_to(root)


@pytest.mark.parametrize(
    "targets",
    [
        {"a": "/etc/passwd"},
        {"a": "../x"},
        {"d/a": "../../x"},
        {"a": "d/..", "b": "a/../x"},
        {"d": "e/f", "x": "d/../../../y"},
        {"a": "b", "b": "a"},
        {"a": ""},
        {"a": "x\0y"},
        {"a": "x" * 1_025},
        {f"l{n}": f"l{n + 1}" for n in range(60)},
    ],
)
def test_links_that_lead_out_or_nowhere_are_refused(targets: dict[str, str]) -> None:
    """Absolute, upward through other links, looping and unusable targets do not get in."""
    with pytest.raises(BadEntryError):
        check_links(targets)


def test_links_within_the_package_are_accepted() -> None:
    """Up and down again, over other links, and to what is not there."""
    check_links(
        {
            "node_modules/.bin/tool": "../tool/cli.js",
            "lib.so": "lib.so.1",
            "lib.so.1": "lib/./lib.so.1.2",
            "d/e/up": "../../f",
            "over": "d/e/up/g",
        }
    )


def test_the_work_of_following_links_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package of links that are each cheap is refused once they are dear together."""
    monkeypatch.setattr(package_layout, "_STEPS_MAX", 100)

    with pytest.raises(BadEntryError):
        check_links({f"l{n}": "a/b/c" for n in range(40)})


@given(st.integers(0, 0o177777))
def test_files_are_readable_by_all_and_never_privileged(mode: int) -> None:
    """A file is 0755 if anybody could execute it, else 0644."""
    assert file_mode(mode) == (0o755 if mode & 0o111 else 0o644)
