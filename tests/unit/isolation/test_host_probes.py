"""What the host probes conclude from what they see."""

import errno
import json
import os
from pathlib import Path

import pytest

from emberbox.isolation import host
from emberbox.isolation.host import Level


def mountinfo(*mounts):
    """Text of /proc/self/mountinfo for (mount point, kind, options)."""
    return "".join(
        f"{n} 1 0:{n} / {point} rw - {kind} {kind} {options}\n"
        for n, (point, kind, options) in enumerate(mounts, 30)
    )


def test_kernel_is_compared_by_number():
    """5.9 is older than 5.14, and a text without a number is no kernel we know."""
    assert host.kernel("6.1.0-13-amd64").level is Level.OK
    assert host.kernel("5.14.0").level is Level.OK
    assert host.kernel("5.9.2").level is Level.FAIL
    assert host.kernel("custom").level is Level.FAIL


def test_probe_success_is_ok():
    """A probe that names no failed step found everything."""
    assert host.judge_probe(json.dumps({"done": ["proc"]})).level is Level.OK


@pytest.mark.parametrize(
    ("step", "number", "words"),
    [
        ("user namespace", errno.EPERM, ("root", "sysctl", "seccomp")),
        ("proc", errno.EPERM, ("systempaths",)),
        ("read-only bind", errno.ENOSYS, ("5.14",)),
        ("seccomp", errno.EINVAL, ("container",)),
    ],
)
def test_probe_failure_names_the_step_and_a_fix(step, number, words):
    """Each kind of refusal has its own advice."""
    said = json.dumps({"done": [], "failed": step, "error": os.strerror(number), "errno": number})

    finding = host.judge_probe(said)

    assert finding.level is Level.FAIL
    assert step in finding.found
    assert any(word in finding.fix for word in words)


def test_no_cgroup_mounts_is_a_warning():
    """A server still runs, but nothing is limited, and that is said."""
    places = host.find_places(mountinfo(("/", "ext4", "rw")), "0::/\n")

    (finding,) = host.control_groups(places)

    assert places.arrangement == "none"
    assert finding.level is Level.WARN
    assert "not limited" in finding.found


def test_version_two_with_all_controllers(tmp_path):
    """Version 2 alone limits and freezes."""
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    places = host.find_places(mountinfo((tmp_path, "cgroup2", "rw")), "0::/\n")

    levels = {f.topic: f.level for f in host.control_groups(places)}

    assert places.arrangement == "v2"
    assert levels == {"control groups": Level.OK, "freezing": Level.OK}


def test_version_two_without_memory_controller(tmp_path):
    """A tree that was not delegated the memory controller cannot limit."""
    (tmp_path / "cgroup.controllers").write_text("cpu pids\n")
    places = host.find_places(mountinfo((tmp_path, "cgroup2", "rw")), "0::/\n")

    (finding,) = host.control_groups(places)

    assert "without memory" in finding.found
    assert "Delegate=yes" in finding.fix


def test_hybrid_limits_by_one_and_freezes_by_two(tmp_path):
    """Version 1 controllers with a version 2 tree beside them."""
    for name in ("memory", "cpu", "pids", "unified"):
        (tmp_path / name).mkdir()
    mounts = [(tmp_path / n, "cgroup", f"rw,{n}") for n in ("memory", "cpu", "pids")]
    mounts.append((tmp_path / "unified", "cgroup2", "rw"))
    places = host.find_places(mountinfo(*mounts), "3:memory:/\n2:cpu:/\n1:pids:/\n0::/\n")

    levels = {f.topic: f.level for f in host.control_groups(places)}

    assert places.arrangement == "hybrid"
    assert levels == {"control groups": Level.OK, "freezing": Level.OK}


def test_version_one_alone_lacks_freezing(tmp_path):
    """Without a version 2 tree only signals can freeze, and that is said."""
    (tmp_path / "memory").mkdir()
    places = host.find_places(
        mountinfo((tmp_path / "memory", "cgroup", "rw,memory")), "3:memory:/\n"
    )

    findings = {f.topic: f for f in host.control_groups(places)}

    assert places.arrangement == "v1"
    assert "processor time" in findings["control groups"].found
    assert findings["freezing"].level is Level.WARN
    assert "mount -t cgroup2" in findings["freezing"].fix


def test_swap_matters_only_where_it_is_in_use(tmp_path):
    """Unaccounted swap is harmless as long as there is none."""
    places = host.Places({"memory": tmp_path}, None, None)
    swaps = tmp_path / "swaps"
    swaps.write_text("Filename\tType\n")

    assert host.swap(places, swaps).level is Level.OK

    swaps.write_text("Filename\tType\n/dev/sda2 partition\n")
    assert host.swap(places, swaps).level is Level.WARN

    (tmp_path / "memory.memsw.limit_in_bytes").write_text("0")
    assert host.swap(places, swaps).level is Level.OK


def test_tmp_without_a_disk_is_memory():
    """Each reason that there is no disk for /tmp has its fix."""
    fixes = {
        "needs root": "run it as root",
        "there is no /dev/loop-control": "modprobe loop",
        "mke2fs (package e2fsprogs) is not installed": "apt install e2fsprogs",
    }

    found = {why: host.scratch(why) for why in fixes}

    assert host.scratch("").level is Level.OK
    assert {why: finding.fix for why, finding in found.items()} == fixes
    assert all(finding.level is Level.WARN for finding in found.values())


def test_orphans_are_groups_whose_server_is_gone(tmp_path):
    """A group is named for the process id and start time of its server."""
    start = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
    family = tmp_path / "emberbox"
    for name in (f"{os.getpid()}-{start}", f"{os.getpid()}-1", "not-a-server"):
        (family / name).mkdir(parents=True)
    places = host.Places({"memory": tmp_path}, None, None)

    finding = host.orphans(places)

    assert finding.level is Level.WARN
    assert f"1 dead servers ({os.getpid()}-1)" in finding.found


def test_examining_leaves_nothing_behind():
    """The real probes change no mount, and the list covers all that a sandbox needs."""
    before = Path("/proc/self/mountinfo").read_text()

    topics = [finding.topic for finding in host.examine()]

    assert Path("/proc/self/mountinfo").read_text() == before
    assert topics[:3] == ["kernel", "processor", "namespaces"]
    assert topics[-3:] == ["swap", "disk of /tmp", "left behind"]
