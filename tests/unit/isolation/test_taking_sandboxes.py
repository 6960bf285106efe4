"""Whoever goes away while a sandbox is made for it, or furnished, leaves none that is nobody's."""

import asyncio
from types import SimpleNamespace

import pytest

from emberbox.isolation.namespaces import NamespaceBackend

PROGRAM = SimpleNamespace(name="python3.12", forks=True)


class Sandbox:
    """One that notes its end."""

    is_gone = False
    disk = -1

    def destroy(self, _reason):
        self.is_gone = True


class Kernel:
    """Stands for all that takes its time: it goes on when `go_on` is set."""

    available = True

    def __init__(self):
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()
        self.made = []

    async def make(self, _program):
        self.begun.set()
        await self.go_on.wait()
        self.made.append(Sandbox())
        return self.made[-1]

    async def take(self, _size_bytes):
        self.begun.set()
        await asyncio.Future()

    def prepare(self, _wanted):
        """Nothing is made ahead."""


@pytest.fixture
async def kernel():
    return Kernel()


@pytest.fixture
def backend(kernel, monkeypatch):
    """The back end as far as it takes sandboxes."""
    backend = object.__new__(NamespaceBackend)
    backend._blanks, backend._tasks, backend._blank_target = {}, set(), 0
    backend.disks = kernel
    monkeypatch.setattr(backend, "_make", kernel.make)
    yield backend
    for blanks in backend._blanks.values():
        blanks.close()


async def given_up(taking):
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking


async def test_a_sandbox_that_is_being_made_is_for_whoever_comes_next(backend, kernel):
    """The zygote makes it, whoever goes away."""
    taking = asyncio.ensure_future(backend.take(PROGRAM, 1))
    await kernel.begun.wait()
    await given_up(taking)
    kernel.go_on.set()
    await asyncio.wait(list(backend._tasks))
    await asyncio.sleep(0)

    assert list(backend._blanks[PROGRAM.name].ready) == kernel.made
    assert not kernel.made[0].is_gone


async def test_a_sandbox_that_waits_for_its_disk_is_destroyed(backend, kernel):
    """It was blank before: nobody else would find it."""
    sandbox = Sandbox()
    backend._blanks_of(PROGRAM).ready.append(sandbox)
    taking = asyncio.ensure_future(backend.take(PROGRAM, 1))
    await kernel.begun.wait()

    await given_up(taking)

    assert sandbox.is_gone
