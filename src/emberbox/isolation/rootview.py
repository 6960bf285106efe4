"""The read-only file system that all sandboxes of one runtime program see.

It shows the host's programs and libraries, what the program declares and little else: no home
directories, no data of the server, no devices but the harmless ones.
"""

import os
from pathlib import Path
from typing import Any

from emberbox.isolation.network.modes import Mode
from emberbox.isolation.network.sandboxes import SandboxNetwork
from emberbox.runtimes.program import BOOTSTRAPS, RUNTIME_SOCKET, Program, bind_prefix

RUNTIME_API_PORT = 9001
DOOR_PORT = 4566
LOOPBACK = "127.0.0.1"
TRACES = ("169.254.100.1", 2000)
"""X-Ray's daemon, where AWS has it: an address of the sandbox's own."""
FIRST_UID = 1051
NAMED_UIDS = 1024
CODE_STORE = "/.emberbox"
# Of 128 that a user has: of its own, or together with all other sandboxes and the user itself.
_OWN_INSTANCES, _SHARED_INSTANCES = 16, 64
_WATCHES = 8_192

_PROGRAMS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
ETC = (
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/pki",
    "/etc/protocols",
    "/etc/services",
    "/etc/ssl",
)
_PRELOAD = ("json", "logging", "datetime", "re", "traceback", "base64", "random", "urllib.parse")


def configuration(
    program: Program,
    *,
    code_store: Path,
    scratch: Path,
    private: Path,
    seccomp: bytes,
    owner: int | None,
    network: SandboxNetwork,
) -> dict[str, Any]:
    """What the zygote is told; `private` is a directory no sandbox may ever see.

    `owner` is the user that its user namespace belongs to, or None where the server cannot say.
    """
    links, binds = _programs()
    binds += [[path, path] for path in ETC if Path(path).exists()]
    declared = dict.fromkeys((*bind_prefix(program.zygote.prefix), *program.binds))
    binds += [list(bind) for bind in declared]
    links |= program.links
    binds.append([str(code_store), CODE_STORE])
    return {
        "plain": None,
        "privileged": owner is not None,
        "owner": owner,
        "watches": {
            "max_inotify_instances": _SHARED_INSTANCES if owner is None else _OWN_INSTANCES,
            "max_inotify_watches": _WATCHES,
        },
        "scratch": str(scratch),
        "directories": ["/var/task", "/opt", "/mnt", "/tmp", "/dev", "/etc", "/var/runtime"],  # noqa: S108
        "files": {**_etc_files(), "/etc/resolv.conf": network.resolv_conf},
        "links": links,
        "binds": binds,
        "covers": [str(private)] if _is_shown(private, binds) else [],
        "preload": preload(program) if program.forks else None,
        "waiting": list(program.waiting),
        "waiting_variables": dict(program.waiting_variables),
        "seccomp": seccomp.hex(),
        "code_store": CODE_STORE,
        "hidden": CODE_STORE,
        "doors": _doors(network.choice.mode),
        "network": network.choice.mode.value,
    }


def _doors(mode: Mode) -> list[str | int | tuple[str, int] | None]:
    """Where a sandbox listens for us, in the order of `Addresses`; on `host`, wherever is free."""
    match mode:
        case Mode.HOST:
            return ["@", 0, 0, (LOOPBACK, 0)]
        case Mode.NONE:
            return [RUNTIME_SOCKET, RUNTIME_API_PORT, None, TRACES]
        case Mode.SERVICE | Mode.NAT:
            return [RUNTIME_SOCKET, RUNTIME_API_PORT, DOOR_PORT, TRACES]


def bootstrap_directory() -> Path:
    """Where the Python runtime's own files are."""
    return BOOTSTRAPS / "python"


def _programs() -> tuple[dict[str, str], list[list[str]]]:
    links, binds = {}, [["/usr", "/usr"]]
    for path in _PROGRAMS:
        if Path(path).is_symlink():
            links[path] = str(Path(path).readlink())
        elif Path(path).is_dir():
            binds.append([path, path])
    return links, binds


def preload(program: Program) -> dict[str, Any]:
    """What the zygote of a Python loads for all its sandboxes."""
    packages = f"/opt/python/lib/{program.name}/site-packages"
    return {
        "sys_path": ["/var/task", packages, "/opt/python", "/var/runtime"],
        "executable": program.command[0],
        "modules": list(_PRELOAD),
    }


def _etc_files() -> dict[str, str]:
    users = [(f"sbx_user{FIRST_UID + n}", FIRST_UID + n) for n in range(NAMED_UIDS)]
    passwd = "".join(f"{name}:x:{uid}:{uid}::/tmp:/sbin/nologin\n" for name, uid in users)
    group = "".join(f"{name}:x:{uid}:\n" for name, uid in users)
    return {
        "/etc/passwd": f"root:x:0:0:root:/root:/sbin/nologin\n{passwd}",
        "/etc/group": f"root:x:0:\n{group}",
        "/etc/hosts": "127.0.0.1 localhost sandbox sandbox.localdomain\n",
        "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    }


def _is_shown(private: Path, binds: list[list[str]]) -> bool:
    place = os.path.realpath(private)
    return any(
        place == source or place.startswith(source.rstrip("/") + "/")
        for source, target in binds
        if target != CODE_STORE
    )
