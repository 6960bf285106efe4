"""What the zygote of sandboxes without namespaces is told: where things are on the host itself.

A directory of links stands for what is at /var/runtime and /var/lang in the other kind of sandbox.
"""

import os
import shutil
import stat
from pathlib import Path
from typing import Any

from emberbox.errors import PlatformError
from emberbox.isolation.network.modes import Mode
from emberbox.isolation.rootview import ETC, LOOPBACK, preload
from emberbox.runtimes.program import Program, bind_prefix

_VIEW = ("/var/runtime", "/var/lang", "/opt")
_READABLE = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/proc")
_ETC_HERE = ("/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/passwd", "/etc/group")
_DEVICES_READ = ("/dev/zero", "/dev/random", "/dev/urandom", "/sys/devices/system/cpu")
_WRITABLE = ("/dev/null", "/dev/full")
_TMP = "/tmp"  # noqa: S108 - the host's own, which functions know by name


def configuration(
    program: Program,
    *,
    code_store: Path,
    scratch: Path,
    private: Path,
    seccomp: bytes,
    mode: Mode,
    confines: bool,
    own_users: bool,
) -> dict[str, Any]:
    """What the zygote is told; `private` is a directory that no function may see.

    `scratch` is a directory for the links; beside it functions get their directories for files.
    """
    view = scratch / "view"
    _link(view, program)
    reachable = [source for source, _ in (*bind_prefix(program.zygote.prefix), *program.binds)]
    if own_users:
        _check_others_enter(program, [*reachable, str(code_store)])
    seen = private.resolve().is_relative_to(Path(_TMP).resolve())
    loads = preload(program) if program.forks else None
    if loads is not None:
        loads["sys_path"] = [_here(p, view) for p in loads["sys_path"]]
        loads["executable"] = _here(loads["executable"], view)
    return {
        "privileged": False,
        "plain": {
            "confines": confines,
            "command": list(program.command),
            "view": str(view),
            "scratch": str(scratch),
            "readable": [*_READABLE, *ETC, *_ETC_HERE, *_DEVICES_READ, *reachable, str(view)],
            "writable": [*_WRITABLE, *([] if seen else [_TMP])],
            "limits_ports": mode is not Mode.HOST,
        },
        "preload": loads,
        "waiting": [],
        "waiting_variables": {},
        "seccomp": seccomp.hex(),
        "code_store": str(code_store),
        "hidden": "",
        # Sockets of the abstract kind are open to all processes of the host; ports can be limited,
        # but not those of datagrams: where they are, there are none.
        "doors": [
            None,
            0,
            None if mode is Mode.NONE else 0,
            [LOOPBACK, 0] if mode is Mode.HOST else None,
        ],
        "network": mode.value,
    }


def _check_others_enter(program: Program, sources: list[str]) -> None:
    """A sandbox's user must come to the runtime's files by itself: nothing is mounted for it."""
    for source in sources:
        for place in Path(source).resolve().parents:
            if not place.stat().st_mode & stat.S_IXOTH:
                raise PlatformError(
                    f"sandboxes for {program.name} cannot be made: what is in {source} is out "
                    f"of reach for other users; as root: chmod o+x {place}"
                )


def _here(path: str, view: Path) -> str:
    return (
        f"{view}{path}" if path.startswith(tuple(f"{p}/" for p in _VIEW)) or path in _VIEW else path
    )


def _link(view: Path, program: Program) -> None:
    """Make the links anew; what a server that was killed has left beside them goes."""
    shutil.rmtree(view.parent, ignore_errors=True)
    view.mkdir(parents=True)
    view.parent.chmod(0o711)
    for name in _VIEW:
        (view / name[1:]).mkdir(parents=True)
    links = {target: source for source, target in program.binds} | dict(program.links)
    for inside, source in sorted(links.items()):
        if inside.startswith(tuple(f"{p}/" for p in _VIEW)) or inside in _VIEW:
            place = view / inside[1:]
            if place.is_dir() and not place.is_symlink():
                place.rmdir()
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(_here(source, view))
    for directory, _, _ in os.walk(view):
        Path(directory).chmod(0o755)
