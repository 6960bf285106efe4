"""Directories as code."""

import os
from dataclasses import replace

import pytest

from emberbox.errors import CallerError
from emberbox.model.function import FunctionVersion, Logging
from emberbox.model.package_layout import BadEntryError
from emberbox.storage import hot_code
from emberbox.storage.hot_code import HotCode
from emberbox.storage.packages import PackageStore


@pytest.fixture
def packages(tmp_path):
    return PackageStore(tmp_path / "packages")


@pytest.fixture
def place(tmp_path):
    """The directory that is code."""
    place = tmp_path / "code"
    (place / "lib").mkdir(parents=True)
    (place / "app.py").write_text("one")
    (place / "lib" / "other.py").write_text("other")
    (place / "link.py").symlink_to("lib/other.py")
    return place


@pytest.fixture
def function(place):
    base = FunctionVersion(
        "1", "r", "f", "role", "python3.12", "h", "", "", 0, "x", 0.0, Logging("g")
    )
    return replace(base, source_directory=str(place))


async def tree(hot, packages, function):
    """The copy as it is now."""
    return packages.tree_path((await hot.current(function)).package_id)


async def test_a_copy_has_what_the_directory_has(packages, function, place):
    """Files readable by all, links, directories; no caches, no repository."""
    (place / "app.py").chmod(0o600)
    (place / "__pycache__").mkdir()
    (place / ".git").mkdir()

    copy = await tree(HotCode(packages), packages, function)

    assert sorted(each.name for each in copy.iterdir()) == ["app.py", "lib", "link.py"]
    assert (copy / "app.py").stat().st_mode & 0o777 == 0o644
    assert (copy / "link.py").read_text() == "other"
    assert (copy / "link.py").is_symlink()


async def test_a_change_is_seen_and_the_rest_is_shared(packages, function, place):
    """The earlier copy stays as it was; what is the same is one file."""
    hot = HotCode(packages)
    before = await tree(hot, packages, function)
    same = await tree(hot, packages, function)

    (place / "app.py").write_text("two!")
    after = await tree(hot, packages, function)

    assert same == before
    assert (before / "app.py").read_text() == "one"
    assert (after / "app.py").read_text() == "two!"
    assert (after / "lib/other.py").samefile(before / "lib/other.py")
    assert not (after / "lib/other.py").samefile(place / "lib/other.py")


async def test_files_that_go_are_gone(packages, function, place):
    """As are links and directories."""
    hot = HotCode(packages)
    await tree(hot, packages, function)
    (place / "link.py").unlink()
    (place / "lib/other.py").unlink()
    (place / "lib").rmdir()

    copy = await tree(hot, packages, function)
    assert [each.name for each in copy.iterdir()] == ["app.py"]


async def test_no_link_leads_outside(packages, function, place):
    """Such a directory is refused, with the link's name."""
    (place / "out").symlink_to("../../secret")

    with pytest.raises(CallerError, match="out") as caught:
        await HotCode(packages).current(function)

    assert (caught.value.code, caught.value.status) == ("ResourceNotReadyException", 502)


async def test_a_directory_that_is_gone_or_replaced_is_an_error(
    packages, function, place, tmp_path
):
    """Also one that has become a link to another."""
    place.rename(tmp_path / "elsewhere")

    with pytest.raises(CallerError, match="there is no such directory"):
        await HotCode(packages).current(function)
    place.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CallerError, match="there is no such directory"):
        await HotCode(packages).current(function)


async def test_pipes_and_the_like_are_no_code(packages, function, place):
    """They are not opened."""
    os.mkfifo(place / "pipe")

    with pytest.raises(CallerError, match="pipe is neither a file, a directory nor a link"):
        await HotCode(packages).current(function)


async def test_no_link_above_the_directory_is_followed(packages, function, place, monkeypatch):
    """Nor one that came just after a look at the path: it could lead to what is only the server's
    to read."""
    above, secret = place.parent / "above", place.parent / "secret"
    (secret / "code").mkdir(parents=True)
    (secret / "code/key").write_text("of somebody else")
    above.symlink_to(secret)
    function = replace(function, source_directory=str(above / "code"))
    monkeypatch.setattr(os.path, "realpath", lambda path, **_: str(path))

    with pytest.raises(CallerError, match="no such directory"):
        await HotCode(packages).current(function)


async def test_a_pipe_in_the_place_of_a_file_holds_nobody_up(packages, function, place):
    """It was a file when the directory was looked at."""
    listing = hot_code._scan(place)
    (place / "app.py").unlink()
    os.mkfifo(place / "app.py")

    with pytest.raises(BadEntryError, match=r"app\.py"):
        HotCode(packages)._copy(place, listing, place.parent)
