"""Control groups of both versions, against trees of files as kernels show them.

What the kernel does by itself is done by `Kernel`: a new directory has its interface files, and a
directory that is removed takes them along.
"""

import os
from pathlib import Path

import pytest

from emberbox.isolation.cgroup_files import parse_mounts
from emberbox.isolation.cgroups import V1Tree, V2Tree
from emberbox.isolation.sandbox import Limits

# As Linux 6.12 shows a group whose parent has given it these controllers.
FILES = {
    "cgroup.controllers": "cpu memory pids\n",
    "cgroup.events": "populated 0\nfrozen 0\n",
    "cgroup.freeze": "0\n",
    "cgroup.kill": "",
    "cgroup.procs": "",
    "cgroup.subtree_control": "",
    "cpu.max": "max 100000\n",
    "cpu.max.burst": "0\n",
    "memory.current": "4096000\n",
    "memory.events": "low 0\nhigh 0\nmax 3\noom 1\noom_kill 2\noom_group_kill 0\n",
    "memory.max": "max\n",
    "memory.oom.group": "0\n",
    "memory.peak": "8192000\n",
    "memory.swap.max": "max\n",
    "pids.max": "max\n",
}
VERSION_1 = {"tasks": "", "cpuacct.usage": "7000000\n"}
LIMITS = Limits(memory_bytes=256 << 20, cpus=0.5, tmp_bytes=512 << 20)


class Kernel:
    """A mounted version 2 hierarchy at `top`."""

    def __init__(self, top, monkeypatch):
        self.top = top
        made, removed = Path.mkdir, Path.rmdir

        def mkdir(path, *arguments, **options):
            known = path.exists()
            made(path, *arguments, **options)
            for place in (path, *path.parents):
                if (
                    not known
                    and place.is_relative_to(top)
                    and not (place / "cgroup.procs").exists()
                ):
                    self.furnish(place)

        def rmdir(path):
            for name in FILES:
                (path / name).unlink(missing_ok=True)
            removed(path)

        monkeypatch.setattr(Path, "mkdir", mkdir)
        monkeypatch.setattr(Path, "rmdir", rmdir)
        self.furnish(top)

    @staticmethod
    def furnish(place, **contents):
        for name, text in {**FILES, **contents}.items():
            (place / name).write_text(text)

    @property
    def mount(self):
        (mount,) = parse_mounts(f"24 23 0:22 / {self.top} rw - cgroup2 cgroup2 rw,nsdelegate\n")
        return mount


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """An empty hierarchy."""
    return Kernel(tmp_path, monkeypatch)


def test_root_has_its_groups_at_the_top(kernel):
    """As root among other processes: a family below the top, the controllers handed down."""
    kernel.furnish(kernel.top, **{"cgroup.procs": f"1\n{os.getpid()}\n"})

    tree = V2Tree("7-8", kernel.mount, "0::/\n")

    family = kernel.top / "emberbox"
    for place in (kernel.top, family, family / "7-8"):
        assert (place / "cgroup.subtree_control").read_text().startswith("+memory +cpu +pids")
    assert tree.abilities.arrangement == "v2"
    assert all((tree.abilities.memory, tree.abilities.cpu, tree.abilities.freeze))


def test_a_delegated_part_is_divided(kernel):
    """Alone in a group of its own, a server moves into a leaf, so that the group can be divided."""
    own = kernel.top / "user.slice" / "run.scope"
    own.mkdir(parents=True)
    kernel.furnish(own, **{"cgroup.procs": f"{os.getpid()}\n"})

    V2Tree("7-8", kernel.mount, "0::/user.slice/run.scope\n")

    assert (own / "emberbox-server" / "cgroup.procs").read_text() == str(os.getpid())
    assert (own / "emberbox" / "7-8").is_dir()
    assert not (kernel.top / "emberbox").exists()


def test_limits_are_written_and_counters_read(kernel):
    """Each file gets what the kernel expects in it."""
    group = V2Tree("7-8", kernel.mount, "0::/\n").create("env-1")
    place = next(kernel.top.rglob("env-1"))

    group.limit(LIMITS)
    frozen = group.freeze()

    written = {n: (place / n).read_text() for n in FILES}
    assert written["memory.max"].startswith(str(256 << 20))
    assert written["memory.swap.max"].startswith("0")
    assert written["pids.max"].startswith("1024")
    assert written["cpu.max"].startswith("50000 100000")
    assert written["cpu.max.burst"].startswith("50000")
    assert frozen
    assert written["cgroup.freeze"].startswith("1")
    assert group.out_of_memory_kills() == 2
    assert group.memory_peak_bytes() == 8_192_000
    group.close()


def test_without_a_limit_of_the_processor(kernel):
    """A share that is taken away again is `max`."""
    group = V2Tree("7-8", kernel.mount, "0::/\n").create("env-1")
    place = next(kernel.top.rglob("env-1"))

    group.set_cpus(1.0)
    group.set_cpus(0)

    assert (place / "cpu.max").read_text().startswith("max 100000")
    assert (place / "cpu.max.burst").read_text().startswith("0")
    group.close()


def test_limits_that_stand_are_not_written_again(kernel):
    """What a blank sandbox was given ahead of need costs nothing when it is needed."""
    group = V2Tree("7-8", kernel.mount, "0::/\n").create("env-1")
    place = next(kernel.top.rglob("env-1"))
    group.limit(LIMITS)
    names = ("memory.max", "pids.max", "cpu.max", "cpu.max.burst")
    for name in names:
        (place / name).write_text("")

    group.limit(LIMITS)
    untouched = {n: (place / n).read_text() for n in names}
    group.limit(Limits(memory_bytes=512 << 20, cpus=0.25, tmp_bytes=512 << 20))

    assert set(untouched.values()) == {""}
    assert (place / "memory.max").read_text() == str(512 << 20)
    assert (place / "cpu.max").read_text() == "25000 100000"
    assert (place / "cpu.max.burst").read_text() == "25000"
    group.close()


@pytest.mark.parametrize("counted", ["with the share", "apart", "apart, and version 2 is there"])
def test_processor_time_is_counted_wherever_the_kernel_counts_it(tmp_path, monkeypatch, counted):
    """With the processor's share or in a hierarchy of its own; else version 2 counts it."""
    monkeypatch.setitem(FILES, "cpu.stat", "usage_usec 9000\nuser_usec 8000\n")
    for name, text in VERSION_1.items():
        monkeypatch.setitem(FILES, name, text)
    kernel = Kernel(tmp_path, monkeypatch)
    lines = {"memory": "memory", "cpu": "cpu", "cpuacct": "cpuacct"}
    if counted == "with the share":
        lines = {"memory": "memory", "cpu": "cpu,cpuacct"}
    text = "".join(
        f"{n} 23 0:{n} / {tmp_path / name} rw - cgroup cgroup rw,{controllers}\n"
        for n, (name, controllers) in enumerate(lines.items(), 30)
    )
    mounts = {c: m for m in parse_mounts(text) for c in lines if c in m.controllers}
    mounts.setdefault("cpuacct", mounts["cpu"])
    unified = kernel.mount if counted.endswith("is there") else None

    tree = V1Tree("7-8", mounts, unified, "1:memory:/\n2:cpu,cpuacct:/\n3:cpuacct:/\n0::/\n")
    group = tree.create("env-1")

    assert group.cpu_ms() == (9.0 if unified else 7.0)
    group.close()
    assert group.remove()
    tree.close()
    assert not list(tmp_path.rglob("7-8"))


def test_what_cannot_be_written_is_no_tree(tmp_path):
    """A read-only mount, as in a container, is an error here, and so another level."""
    (mount,) = parse_mounts(f"24 23 0:22 / {tmp_path / 'none'} ro - cgroup2 cgroup2 ro\n")
    (tmp_path / "none").write_text("")

    with pytest.raises(OSError):
        V2Tree("7-8", mount, "0::/\n")


def test_all_is_removed_at_the_end(kernel):
    """Groups go with their sandboxes, the server's own with the server."""
    tree = V2Tree("7-8", kernel.mount, "0::/\n")
    group = tree.create("env-1")
    group.close()

    assert group.remove()
    tree.close()

    assert not list(kernel.top.rglob("7-8"))
