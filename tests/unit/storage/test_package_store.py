"""Code packages: what is stored, what is refused, what is collected."""

import base64
import hashlib
import io
import os
import stat
import struct
import tempfile
import warnings
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emberbox.errors import CallerError, PlatformError
from emberbox.storage import packages as packages_module
from emberbox.storage import unpacking
from emberbox.storage.packages import PackageStore
from emberbox.storage.unpacking import unpack

NOT_A_ZIP = "Could not unzip uploaded file. Please check your file, then try to upload again."
NAMES = st.text(st.sampled_from("ab./\\:~é\0"), min_size=1, max_size=8)
MODES = st.sampled_from([0, 0o100644, 0o104755, 0o100000, 0o120777, 0o040755, 0o010644])
CONTENTS = st.sampled_from([b"", b"x", b"..", b"a", b"b/a", b"../..", b"/etc"])


def entry(name, mode=0o100644):
    """An entry of a zip file made on Unix."""
    info = zipfile.ZipInfo(name, (2024, 5, 6, 7, 8, 10))
    info.external_attr = mode << 16
    return info


def zipped(*entries, method=zipfile.ZIP_DEFLATED):
    """A zip file of (name or entry, content)."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as package:
        for name, content in entries:
            if isinstance(name, str):
                package.writestr(entry(name), content, method)
            else:
                package.writestr(name, content, method)
    return out.getvalue()


def refusal(data, into):
    """The message with which a package is refused."""
    with pytest.raises(CallerError) as caught:
        unpack(data, into)
    assert caught.value.code == "InvalidParameterValueException"
    return caught.value.message


@pytest.fixture
def store(tmp_path):
    return PackageStore(tmp_path / "packages")


async def test_a_package_is_stored_under_its_hash(store, tmp_path):
    """What put answers fits the bytes, and tree and zip file are there."""
    data = zipped(("app.py", "pass\n"), ("lib/x.py", "y"))

    package = await store.put(data)

    digest = hashlib.sha256(data)
    assert package.package_id == digest.hexdigest()
    assert base64.b64decode(package.code_sha256) == digest.digest()
    assert (package.code_size, package.unzipped_size) == (len(data), 6)
    tree = tmp_path / "packages" / "trees" / package.package_id
    assert (tree / "app.py").read_text() == "pass\n"
    assert (tree / "lib" / "x.py").read_text() == "y"
    assert store.zip_path(package.package_id).read_bytes() == data
    assert list((tmp_path / "packages" / "incoming").iterdir()) == []


async def test_the_same_package_twice_is_one(store):
    """The second put answers as the first did."""
    data = zipped(("app.py", "pass"), ("d/", ""), (entry("d/l", 0o120777), "../app.py"))

    assert await store.put(data) == await store.put(data)


async def test_trees_can_be_read_by_any_user(store):
    """Files are 0644 or 0755, directories 0755, nothing is setuid, whatever the mask."""
    mask = os.umask(0o077)
    try:
        package = await store.put(
            zipped(
                (entry("secret", 0o100600), "s"),
                (entry("run", 0o100700), "#!"),
                (entry("root", 0o106755), "#!"),
                (entry("plain", 0), "p"),
                (entry("d/", 0o040700), ""),
                ("d/e/f", "f"),
            )
        )
    finally:
        os.umask(mask)

    tree = await store.ensure_tree(package.package_id)
    modes = {
        str(place.relative_to(tree)): stat.S_IMODE(place.stat().st_mode)
        for place in (tree, *tree.rglob("*"))
    }
    assert modes == {
        ".": 0o755,
        "secret": 0o644,
        "run": 0o755,
        "root": 0o755,
        "plain": 0o644,
        "d": 0o755,
        "d/e": 0o755,
        "d/e/f": 0o644,
    }
    assert stat.S_IMODE(tree.parent.stat().st_mode) == 0o755
    assert stat.S_IMODE(tree.parent.parent.stat().st_mode) == 0o755


async def test_files_keep_their_time(store):
    """The extra field's exact time goes before the plain one, which is taken for UTC."""
    exact = entry("exact.py")
    exact.extra = struct.pack("<HHB", 0x9999, 1, 7) + struct.pack("<HHBi", 0x5455, 5, 1, 1_234_567)
    broken = entry("broken.py")
    broken.date_time = (1980, 0, 0, 0, 0, 0)

    package = await store.put(zipped((exact, "x"), ("plain.py", "y"), (broken, "z")))

    tree = await store.ensure_tree(package.package_id)
    assert (tree / "exact.py").stat().st_mtime == 1_234_567
    assert (tree / "plain.py").stat().st_mtime == 1_714_979_290
    assert (tree / "broken.py").stat().st_mtime == 315_532_800


async def test_links_inside_are_kept(store):
    """A link within the package is a link in the tree."""
    package = await store.put(
        zipped((entry("lib.so", 0o120777), "lib/real.so"), ("lib/real.so", "elf"))
    )

    tree = await store.ensure_tree(package.package_id)
    assert (tree / "lib.so").is_symlink()
    assert (tree / "lib.so").read_text() == "elf"


@pytest.mark.parametrize("target", ["/etc/passwd", "../../../etc/passwd", "", "x\0y", "x" * 2_000])
def test_links_that_point_out_are_refused(tmp_path, target):
    """The refusal names the link."""
    message = refusal(zipped((entry("evil", 0o120777), target)), tmp_path)

    assert message.startswith(NOT_A_ZIP)
    assert "'evil'" in message


def test_nothing_is_written_through_a_link(tmp_path):
    """A file below a link of the same package is refused, and the link's target is untouched."""
    outside = tmp_path / "outside"
    outside.mkdir()
    into = tmp_path / "in" / "tree"
    into.mkdir(parents=True)

    message = refusal(zipped((entry("d", 0o120777), "../../outside"), ("d/file", "pwned")), into)

    assert message.startswith(NOT_A_ZIP)
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("data", [b"PK", b"x" * 100, b"PK\x05\x06" + b"\xff" * 18])
def test_what_is_no_zip_file_is_refused(tmp_path, data):
    """The text is AWS's."""
    assert refusal(data, tmp_path) == NOT_A_ZIP


@pytest.mark.parametrize("data", [b"", zipped()])
def test_an_empty_package_is_refused(tmp_path, data):
    """No bytes and no entries are the same to AWS."""
    assert refusal(data, tmp_path) == "Uploaded file must be a non-empty zip"


def test_a_damaged_package_is_refused(tmp_path):
    """A file whose checksum is wrong does not get in."""
    data = bytearray(zipped(("app.py", "0123456789"), method=zipfile.ZIP_STORED))
    data[data.index(b"0123456789")] ^= 1

    assert refusal(bytes(data), tmp_path) == NOT_A_ZIP


def test_encrypted_packages_are_refused(tmp_path):
    """The flag of encryption is enough."""
    data = bytearray(zipped(("app.py", "x")))
    data[data.index(b"PK\x01\x02") + 8] |= 1

    assert refusal(bytes(data), tmp_path) == f"{NOT_A_ZIP} It is encrypted."


def test_other_methods_than_deflate_are_refused(tmp_path):
    """What AWS cannot unpack is not unpacked."""
    data = zipped(("app.py", "x"), method=zipfile.ZIP_BZIP2)

    assert refusal(data, tmp_path).startswith(NOT_A_ZIP)


def test_the_unzipped_size_is_counted_not_believed(tmp_path, monkeypatch):
    """A package that grows over the limit is stopped, all its files together."""
    monkeypatch.setattr(unpacking, "UNZIPPED_MAX_BYTES", 1_000_000)
    data = zipped(("a", b"\0" * 600_000), ("b", b"\0" * 600_000))

    assert refusal(data, tmp_path) == "Unzipped size must be smaller than 262144000 bytes"
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 1_000_000


def test_the_number_of_entries_is_limited_before_parsing(tmp_path, monkeypatch):
    """A package of very many entries is refused."""
    monkeypatch.setattr(unpacking, "PACKAGE_MAX_ENTRIES", 5)

    message = refusal(zipped(*((f"f{n}", "") for n in range(6))), tmp_path)

    assert message == f"{NOT_A_ZIP} It holds more than 5 entries."


async def test_a_zip_file_over_the_limit_is_refused(store, monkeypatch):
    """The answer is AWS's 413, before anything is looked at."""
    monkeypatch.setattr(packages_module, "ZIPPED_MAX_BYTES", 10)

    with pytest.raises(CallerError) as caught:
        await store.put(b"x" * 11)

    assert (caught.value.code, caught.value.status) == ("RequestEntityTooLargeException", 413)


async def test_a_refused_package_leaves_nothing(store, tmp_path):
    """Neither a tree nor a zip file nor anything half made stays behind."""
    with pytest.raises(CallerError):
        await store.put(zipped(("ok", "x"), ("../evil", "y")))

    left = [place for place in (tmp_path / "packages").rglob("*") if place.is_file()]
    assert left == []
    assert list((tmp_path / "packages" / "incoming").iterdir()) == []


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(NAMES, MODES, CONTENTS), min_size=1, max_size=6))
def test_no_entry_ever_escapes(entries):
    """Whatever a package holds, nothing changes outside its tree, and no link leads out of it."""
    with tempfile.TemporaryDirectory() as made:
        outside = Path(made).resolve()
        into = outside / "a" / "tree"
        into.mkdir(parents=True)
        out = io.BytesIO()
        with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(out, "w") as package:
            for name, mode, content in entries:
                info = entry("placeholder", mode)
                info.filename = info.orig_filename = name
                package.writestr(info, content)
        with suppress(CallerError):
            unpack(out.getvalue(), into)

        everything = {Path(folder, name) for folder, ds, fs in os.walk(outside) for name in ds + fs}
        for place in everything - {into.parent}:
            assert place.is_relative_to(into)
            assert place.resolve().is_relative_to(into)
            assert not place.lstat().st_mode & (stat.S_ISUID | stat.S_ISGID)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damage_anywhere_is_a_refusal_or_nothing(data):
    """A zip file with bytes changed is unpacked or refused; it never breaks the server."""
    whole = bytearray(zipped(("app.py", "print(1)\n" * 20), (entry("l", 0o120777), "app.py")))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with tempfile.TemporaryDirectory() as made:
        with suppress(CallerError):
            unpack(bytes(whole), Path(made))
        sizes = [path.lstat().st_size for path in Path(made).rglob("*") if not path.is_dir()]
        assert sum(sizes) < 1_000


async def test_a_missing_tree_is_made_again(store, tmp_path):
    """The zip file is enough, and the tree is the same."""
    package = await store.put(zipped(("app.py", "pass")))
    tree = await store.ensure_tree(package.package_id)
    before = (tree / "app.py").stat().st_mtime
    tree.rename(tmp_path / "gone")

    again = await store.ensure_tree(package.package_id)

    assert again == tree
    assert (tree / "app.py").read_text() == "pass"
    assert (tree / "app.py").stat().st_mtime == before


@pytest.mark.parametrize("package_id", ["ab" * 32, "../../etc", "AB" * 32, ""])
async def test_a_package_that_is_not_stored_has_no_tree(store, package_id):
    """The error is the platform's."""
    with pytest.raises(PlatformError):
        await store.ensure_tree(package_id)


async def test_packages_in_use_are_kept_and_others_go(store):
    """A package goes with the second collection in a row that finds it idle."""
    used = await store.put(zipped(("a", "1")))
    unused = await store.put(zipped(("a", "2")))
    in_use = {used.package_id}

    assert await store.collect(in_use) == 0
    assert await store.collect({used.package_id, unused.package_id}) == 0
    assert await store.collect(in_use) == 0
    assert await store.collect(in_use) == 1

    assert store.zip_path(used.package_id).exists()
    assert not store.zip_path(unused.package_id).exists()
    with pytest.raises(PlatformError):
        await store.ensure_tree(unused.package_id)
    assert (await store.put(zipped(("a", "2")))).package_id == unused.package_id


async def test_a_package_that_is_put_again_is_not_idle(store):
    """Whoever puts it has time to name it in a function."""
    package = await store.put(zipped(("a", "1")))
    await store.collect(())

    await store.put(zipped(("a", "1")))

    assert await store.collect(()) == 0
    assert store.zip_path(package.package_id).exists()


async def test_a_new_server_does_not_trust_trees_that_were_not_synced(store, tmp_path):
    """Before the first collection trees are made again at a start, after it they stay."""
    package = await store.put(zipped(("app.py", "pass")))
    file = tmp_path / "packages" / "trees" / package.package_id / "app.py"
    file.write_text("")

    store = PackageStore(tmp_path / "packages")
    await store.ensure_tree(package.package_id)
    assert file.read_text() == "pass"

    await store.collect({package.package_id})
    inode = file.stat().st_ino
    store = PackageStore(tmp_path / "packages")
    await store.ensure_tree(package.package_id)
    assert file.stat().st_ino == inode


async def test_a_new_server_clears_what_was_half_made(tmp_path):
    """Leftovers of a server that died are removed at the start."""
    incoming = tmp_path / "packages" / "incoming"
    (incoming / "tree-x" / "d").mkdir(parents=True)
    (incoming / "zip-y").write_text("half")

    PackageStore(tmp_path / "packages")

    assert list(incoming.iterdir()) == []
