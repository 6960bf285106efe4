"""Runs a program as in an unprivileged container: no namespaces, no mounts, whoever it is.

    python no_namespaces.py python -m emberbox serve --port 0

The filter refuses what the usual profiles of container engines refuse to those without
CAP_SYS_ADMIN, and knows no clone3, as theirs do.
"""

import ctypes
import os
import platform
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3] / "src" / "emberbox" / "isolation" / "inside"))

import linux

ARM = platform.machine() == "aarch64"
REFUSED = {
    # Numbers on x86-64 and on arm64.
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsmount": (432, 432),
    "mount_setattr": (442, 442),
}
CLONE, CLONE3 = ((56, 220)[ARM], 435)
NAMESPACES = 0x7E020000
ALLOW, EPERM, ENOSYS = 0x7FFF0000, 0x00050001, 0x00050026


def code(operation, value, when_true=0, when_false=0):
    return struct.pack("=HBBI", operation, when_true, when_false, value)


def profile():
    program = [code(0x20, 0)]
    for both in REFUSED.values():
        program += [code(0x15, both[ARM], 0, 1), code(0x06, EPERM)]
    program += [code(0x15, CLONE3, 0, 1), code(0x06, ENOSYS)]
    program += [code(0x15, CLONE, 0, 4), code(0x20, 16), code(0x45, NAMESPACES, 0, 1)]
    program += [code(0x06, EPERM), code(0x06, ALLOW), code(0x06, ALLOW)]
    return b"".join(program)


if __name__ == "__main__":
    ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)
    linux.load_seccomp(profile())
    os.execvp(sys.argv[1], sys.argv[1:])
