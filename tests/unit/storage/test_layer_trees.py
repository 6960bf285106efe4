"""Layers laid over one another."""

import stat

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emberbox.storage.layer_trees import merge

NAMES = st.sampled_from(["a", "b", "c"])
CONTENT = st.recursive(
    st.sampled_from(["x", "y", "->a"]), lambda inner: st.dictionaries(NAMES, inner), max_leaves=6
)
TREES = st.lists(st.dictionaries(NAMES, CONTENT), min_size=1, max_size=4)


def write(place, content):
    """A directory from {name: text, link or content}."""
    place.mkdir()
    for name, value in content.items():
        if isinstance(value, dict):
            write(place / name, value)
        elif value.startswith("->"):
            (place / name).symlink_to(value[2:])
        else:
            (place / name).write_text(value)


def read(place):
    """What `write` was given."""
    found = {}
    for entry in place.iterdir():
        if entry.is_symlink():
            found[entry.name] = f"->{entry.readlink()}"
        elif entry.is_dir():
            found[entry.name] = read(entry)
        else:
            found[entry.name] = entry.read_text()
    return found


def overlaid(below, above):
    """What should come of two."""
    merged = dict(below)
    for name, value in above.items():
        known = merged.get(name)
        if isinstance(value, dict) and isinstance(known, dict):
            merged[name] = overlaid(known, value)
        else:
            merged[name] = value
    return merged


@settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(contents=TREES)
def test_later_trees_lie_on_top(tmp_path_factory, contents):
    """Directories are merged; anything else of a later tree takes the place of an earlier one."""
    place = tmp_path_factory.mktemp("m")
    expected = {}
    for number, content in enumerate(contents):
        write(place / str(number), content)
        expected = overlaid(expected, content)
    (place / "incoming").mkdir()

    merged = merge([place / str(n) for n in range(len(contents))], place / "incoming")

    assert read(merged) == expected
    for number, content in enumerate(contents):
        assert read(place / str(number)) == content


def test_files_are_shared_and_readable(tmp_path):
    """A merged tree holds the very files, with their modes, in directories that all may enter."""
    write(tmp_path / "one", {"bin": {"tool": "x"}})
    (tmp_path / "one" / "bin" / "tool").chmod(0o755)
    write(tmp_path / "two", {"bin": {"other": "y"}})
    (tmp_path / "incoming").mkdir()

    merged = merge([tmp_path / "one", tmp_path / "two"], tmp_path / "incoming")

    assert (merged / "bin/tool").samefile(tmp_path / "one/bin/tool")
    assert stat.S_IMODE((merged / "bin").stat().st_mode) == 0o755
    assert stat.S_IMODE(merged.stat().st_mode) == 0o755


def test_nothing_is_written_through_a_link(tmp_path):
    """A link of one tree and a directory of the next do not meet outside."""
    (tmp_path / "outside").mkdir()
    write(tmp_path / "one", {"a": f"->{tmp_path}/outside"})
    write(tmp_path / "two", {"a": {"file": "x"}})
    (tmp_path / "incoming").mkdir()

    merged = merge([tmp_path / "one", tmp_path / "two"], tmp_path / "incoming")

    assert read(merged) == {"a": {"file": "x"}}
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_failed_merge_leaves_nothing(tmp_path):
    """Of a tree that is not there."""
    (tmp_path / "incoming").mkdir()

    with pytest.raises(OSError, match="nowhere"):
        merge([tmp_path / "nowhere"], tmp_path / "incoming")

    assert list((tmp_path / "incoming").iterdir()) == []
