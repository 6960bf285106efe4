"""Where our control groups are, read from what kernels say of themselves."""

from pathlib import Path

from emberbox.isolation.cgroup_files import own_place, parse_mounts
from emberbox.isolation.cgroup_groups import V2Cgroup
from emberbox.isolation.cgroup_owners import sweep_family

HYBRID = """\
30 23 0:26 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
32 30 0:28 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
33 30 0:29 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup rw
"""
V2 = "24 23 0:22 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
CONTAINER = "24 23 0:22 /docker/abc /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw\n"


def test_hybrid_mounts_are_read() -> None:
    """Each v1 hierarchy has its controllers, the v2 tree has none."""
    mounts = parse_mounts(HYBRID)

    assert [(str(m.point), m.unified) for m in mounts] == [
        ("/sys/fs/cgroup/memory", False),
        ("/sys/fs/cgroup/cpu,cpuacct", False),
        ("/sys/fs/cgroup/unified", True),
    ]
    assert mounts[1].controllers >= {"cpu", "cpuacct"}


def test_own_place_under_v1() -> None:
    """Our group differs from controller to controller."""
    mounts = parse_mounts(HYBRID)
    membership = "4:memory:/jobs/7\n2:cpu,cpuacct:/\n0::/user\n"

    assert [str(own_place(m, membership)) for m in mounts] == [
        "/sys/fs/cgroup/memory/jobs/7",
        "/sys/fs/cgroup/cpu,cpuacct",
        "/sys/fs/cgroup/unified/user",
    ]


def test_own_place_under_v2() -> None:
    """The one line without controllers counts."""
    (mount,) = parse_mounts(V2)

    assert own_place(mount, "0::/user.slice/session-1.scope\n") == Path(
        "/sys/fs/cgroup/user.slice/session-1.scope"
    )


def test_own_place_in_a_container() -> None:
    """What is mounted is only a part of the hierarchy: its root is left out of the path."""
    (mount,) = parse_mounts(CONTAINER)

    assert own_place(mount, "0::/docker/abc/job\n") == Path("/sys/fs/cgroup/job")


def test_sweep_removes_only_what_dead_servers_left(tmp_path: Path) -> None:
    """Groups named for a process that no longer lives go; others stay."""
    (tmp_path / "999999999-1" / "env-1").mkdir(parents=True)
    (tmp_path / "somebody-else").mkdir()

    removed = sweep_family(tmp_path)

    assert removed == 1
    assert [p.name for p in tmp_path.iterdir()] == ["somebody-else"]


def test_a_kernel_that_keeps_no_peak_still_measures(tmp_path: Path) -> None:
    """Before Linux 5.19 there is no memory.peak: what is used now is taken, and nothing fails."""
    group = V2Cgroup(tmp_path / "env-1")
    (tmp_path / "env-1" / "memory.current").write_text("4096\n", "ascii")

    group.reset_memory_peak()
    measured = group.memory_peak_bytes()
    group.close()

    assert measured == 4096
