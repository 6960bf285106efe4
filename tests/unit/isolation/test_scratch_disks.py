"""Disks for /tmp: as many as are wanted, however many ask at once, and none that is nobody's."""

import asyncio
import os
import threading

import pytest

from emberbox.isolation import scratch_disk
from emberbox.isolation.scratch_disk import ScratchDisks

USUAL = 512 << 20


class Maker:
    """Stands for the kernel: each disk is the end of a pipe, made when `go_on` allows it."""

    def __init__(self):
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.other_ends = []

    def __call__(self, _template, _path):
        self.begun.set()
        assert self.go_on.wait(30)
        reading, writing = os.pipe()
        self.other_ends.append(reading)
        return writing


@pytest.fixture
def maker(monkeypatch):
    """Makes the disks of the test."""
    maker = Maker()
    monkeypatch.setattr(scratch_disk, "_format", lambda directory, _size: directory)
    monkeypatch.setattr(scratch_disk, "_make_disk", maker)
    yield maker
    for descriptor in maker.other_ends:
        os.close(descriptor)


async def test_no_more_are_made_than_are_wanted(maker, tmp_path):
    """Several refills at once do not each make the last one."""
    disks = ScratchDisks(tmp_path, USUAL)
    for _ in range(3):
        disks.prepare(3)
    refills = list(disks._refilling)
    maker.go_on.set()

    await asyncio.gather(*refills)
    disks.prepare(3)

    assert len(maker.other_ends) == 3
    assert not disks._refilling
    await disks.close()


async def test_a_disk_that_nobody_waits_for_is_given_back(maker, tmp_path):
    """Whoever wanted it was cancelled while it was made."""
    disks = ScratchDisks(tmp_path, USUAL)
    taking = asyncio.ensure_future(disks.take(USUAL))
    await asyncio.to_thread(maker.begun.wait, 30)

    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    maker.go_on.set()

    while not maker.other_ends:
        await asyncio.to_thread(int)
    assert await asyncio.to_thread(os.read, maker.other_ends[0], 1) == b"", "it is still open"


def test_what_a_killed_server_has_left_is_in_nobodys_way(tmp_path, monkeypatch):
    """Disks are numbered anew by each server."""
    monkeypatch.setattr(scratch_disk, "_attach", lambda backing: ("/dev/loop9", os.dup(backing)))
    monkeypatch.setattr(scratch_disk, "_mount_detached", lambda _name: 7)
    (tmp_path / "template").write_bytes(b"ext4")
    (tmp_path / "d1").write_bytes(b"half of it")

    assert scratch_disk._make_disk(tmp_path / "template", tmp_path / "d1") == 7

    assert [path.name for path in tmp_path.iterdir()] == ["template"]
