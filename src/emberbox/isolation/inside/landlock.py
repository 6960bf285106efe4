"""Landlock: a process limits, for itself and its descendants, which files it reaches, which TCP
ports it connects to, and whom it signals. It needs no privilege, but a kernel that has it.
"""

import os
import stat
import struct

import linux

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION = 1
_PATH_BENEATH, _NET_PORT = 1, 2
_CONNECT_TCP = 1 << 1
_SCOPES = 1 << 0 | 1 << 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
# How many kinds of access to files each version knows.
_KINDS = {1: 13, 2: 14, 3: 15, 4: 15}
_KINDS_NOW = 16
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_ON_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_NET_SINCE, _SCOPES_SINCE = 4, 6


def version():
    """Which version of Landlock this kernel has, 0 for none."""
    return max(0, linux.call(_CREATE_RULESET, None, 0, _VERSION))


def restrict(readable, writable, ports):
    """From here on only these trees can be read and run, only those written, and TCP connections
    only be made to these ports (None: to all). Places that do not exist are left out.

    Returns whether the ports are limited: older kernels cannot. OSError without Landlock.
    """
    known = version()
    kinds = (1 << _KINDS.get(known, _KINDS_NOW)) - 1
    nets = _CONNECT_TCP if ports is not None and known >= _NET_SINCE else 0
    # Abstract Unix sockets of others are out of reach, and so are signals to their processes.
    scopes = _SCOPES if known >= _SCOPES_SINCE else 0
    wanted = struct.pack("=QQQ", kinds, nets, scopes)
    length = 24 if scopes else 16 if nets else 8
    rules = linux.checked(linux.call(_CREATE_RULESET, wanted, length, 0), "landlock")
    try:
        for paths, access in ((readable, _READ), (writable, kinds)):
            for path in paths:
                _allow(rules, path, access & kinds)
        for port in ports or () if nets else ():
            rule = struct.pack("=QQ", _CONNECT_TCP, port)
            linux.checked(linux.call(_ADD_RULE, rules, _NET_PORT, rule, 0), "landlock port")
        linux.checked(linux.call(_RESTRICT_SELF, rules, 0), "landlock restrict")
    finally:
        os.close(rules)
    return bool(nets)


def _allow(rules, path, access):
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            access &= _ON_FILES
        rule = struct.pack("=Qi", access, place)
        linux.checked(linux.call(_ADD_RULE, rules, _PATH_BENEATH, rule, 0), "landlock " + path)
    finally:
        os.close(place)
