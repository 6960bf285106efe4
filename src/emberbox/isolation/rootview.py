"""The read-only file system that all sandboxes of one interpreter see.

It shows the host's programs and libraries, the interpreter, the AWS SDK and little else: no home
directories, no data of the server, no devices but the harmless ones.
"""

import os
from pathlib import Path
from typing import Any

from emberbox.runtimes.interpreter import Interpreter

RUNTIME_SOCKET = "@emberbox-runtime-api"
RUNTIME_API_PORT = 9001
DOOR_PORT = 4566
FIRST_UID = 1051
NAMED_UIDS = 1024
CODE_STORE = "/.emberbox"

_PROGRAMS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_ETC = (
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
_SDK = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six.py")
_PRELOAD = ("json", "logging", "datetime", "re", "traceback", "base64", "random", "urllib.parse")


def configuration(
    interpreter: Interpreter,
    *,
    code_store: Path,
    scratch: Path,
    private: Path,
    seccomp: bytes,
    privileged: bool,
) -> dict[str, Any]:
    """What the zygote is told; `private` is a directory no sandbox may ever see."""
    links, binds = _programs()
    binds += [[path, path] for path in _ETC if Path(path).exists()]
    binds += _interpreter(interpreter, links)
    binds += _runtime()
    binds.append([str(code_store), CODE_STORE])
    packages = f"/opt/python/lib/{interpreter.name}/site-packages"
    return {
        "privileged": privileged,
        "scratch": str(scratch),
        "directories": ["/var/task", "/opt", "/tmp", "/dev", "/etc", "/var/runtime"],  # noqa: S108
        "files": _etc_files(),
        "links": links,
        "binds": binds,
        "covers": [str(private)] if _is_shown(private, binds) else [],
        "sys_path": ["/var/task", packages, "/opt/python", "/var/runtime"],
        "executable": f"/var/lang/bin/{interpreter.name}",
        "preload": list(_PRELOAD),
        "seccomp": seccomp.hex(),
        "code_store": CODE_STORE,
        "hidden": CODE_STORE,
        "doors": [RUNTIME_SOCKET, RUNTIME_API_PORT, DOOR_PORT],
    }


def bootstrap_directory() -> Path:
    """Where the Python runtime's own files are."""
    return Path(__file__).parent.parent / "runtimes" / "bootstrap" / "python"


def _programs() -> tuple[dict[str, str], list[list[str]]]:
    links, binds = {}, [["/usr", "/usr"]]
    for path in _PROGRAMS:
        if Path(path).is_symlink():
            links[path] = str(Path(path).readlink())
        elif Path(path).is_dir():
            binds.append([path, path])
    return links, binds


def _interpreter(interpreter: Interpreter, links: dict[str, str]) -> list[list[str]]:
    for name in ("python3", "python", interpreter.name):
        links[f"/var/lang/bin/{name}"] = interpreter.executable
    prefix = interpreter.prefix
    links["/var/lang/lib"] = f"{prefix}/lib"
    return [] if prefix == "/usr" or prefix.startswith("/usr/") else [[prefix, prefix]]


def _runtime() -> list[list[str]]:
    ours = bootstrap_directory()
    binds = [
        [str(ours / "bootstrap.py"), "/var/runtime/bootstrap.py"],
        [str(ours / "emberbox_bootstrap"), "/var/runtime/emberbox_bootstrap"],
    ]
    import botocore  # noqa: PLC0415 - only to find where the SDK is installed

    packages = Path(botocore.__file__).parent.parent
    binds += [
        [str(packages / name), f"/var/runtime/{name}"]
        for name in _SDK
        if (packages / name).exists()
    ]
    return binds


def _etc_files() -> dict[str, str]:
    users = [(f"sbx_user{FIRST_UID + n}", FIRST_UID + n) for n in range(NAMED_UIDS)]
    passwd = "".join(f"{name}:x:{uid}:{uid}::/tmp:/sbin/nologin\n" for name, uid in users)
    group = "".join(f"{name}:x:{uid}:\n" for name, uid in users)
    return {
        "/etc/passwd": f"root:x:0:0:root:/root:/sbin/nologin\n{passwd}",
        "/etc/group": f"root:x:0:\n{group}",
        "/etc/hosts": "127.0.0.1 localhost sandbox sandbox.localdomain\n",
        "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
        "/etc/resolv.conf": "",
    }


def _is_shown(private: Path, binds: list[list[str]]) -> bool:
    place = os.path.realpath(private)
    return any(
        place == source or place.startswith(source.rstrip("/") + "/")
        for source, target in binds
        if target != CODE_STORE
    )
