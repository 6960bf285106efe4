"""Inside one sandbox: the programs in /opt/extensions, started before the runtime.

Each is a process of the customer's like the runtime: in its cgroups, under its user, behind the
same filter. What they print goes into a pipe of their own, so that it can be told apart.
"""

import errno
import os

import linux

_DIRECTORY = "/opt/extensions"
_MOST = 10
_STATUS_DESCRIPTOR = 4


def start(init, environment, enter):
    """Start all; (name -> pid of those that run, name -> why not, read end of their output).

    `enter(init, descriptors)` makes a process of the customer's out of a fresh child.
    """
    running, failed = {}, {}
    names = _names()
    if not names:
        return running, failed, -1
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    for name in names:
        if len(running) >= _MOST:
            failed[name] = "TooManyExtensions"
            continue
        pid, problem = _start(init, name, environment, writing, enter)
        if problem:
            failed[name] = problem
        else:
            running[name] = pid
    os.close(writing)
    return running, failed, reading


def _names():
    try:
        found = os.listdir(os.fsencode(_DIRECTORY))
    except OSError:
        return []
    return sorted(
        name.decode("utf-8", "surrogateescape")
        for name in found
        if os.path.isfile(os.fsencode(_DIRECTORY) + b"/" + name)
    )


def _start(init, name, environment, output, enter):
    """(pid, why it could not become its program)."""
    telling, told = os.pipe()
    pid, pidfd = linux.fork_into(0, init.birthplace)
    if pid == 0:
        try:
            null = os.open("/dev/null", os.O_RDWR)
            enter(init, ((null, 0), (output, 1), (output, 2), (null, 3), (told, 4)), 3)
            _become(name, environment)
        finally:
            os._exit(70)
    os.close(pidfd)
    os.close(told)
    problem = os.read(telling, 64).decode("ascii")
    os.close(telling)
    return pid, problem


def _become(name, environment):
    path = "%s/%s" % (_DIRECTORY, name)
    try:
        os.chdir("/")
        os.execve(path, [path], environment)
    except OSError as error:
        code = errno.errorcode.get(error.errno, "unknown")
        os.write(_STATUS_DESCRIPTOR, _WORDS.get(code, code).encode("ascii"))


_WORDS = {"EACCES": "PermissionDenied", "ENOEXEC": "InvalidFormat", "ENOENT": "FileNotFound"}
