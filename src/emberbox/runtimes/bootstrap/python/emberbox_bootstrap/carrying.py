"""What of a process is not memory: can it be carried into another process, and how.

`look` says what there is, or raises `UnfitError` with the reason why it cannot be carried.
`take_up` makes the same in a fresh process. Files are opened again where they were. A connection to
another machine cannot outlive a snapshot, on AWS neither: its descriptor is that of a connection
that has ended.
"""

import ctypes
import fcntl
import os
import signal
import socket
import stat
import struct
import threading

from emberbox_bootstrap.memory_image import IMAGE_DESCRIPTOR, UnfitError

_STANDARD = 3
"""Descriptors up to this one are the sandbox's own in each process."""
_DEVICES = frozenset("/dev/" + name for name in ("null", "zero", "full", "random", "urandom"))
_KEPT_FLAGS = os.O_ACCMODE | os.O_APPEND | os.O_NONBLOCK | os.O_DIRECTORY | os.O_CLOEXEC
_NR_SIGACTION, _NR_SIGALTSTACK = 13, 131
_ACTION_BYTES = 32
_STACK_BYTES = 24
_SS_DISABLE = 2
_INTERNET = (socket.AF_INET, socket.AF_INET6)

_libc = ctypes.PyDLL(None, use_errno=True)


def signal_actions():
    """Signal number -> what the kernel is to do with it, in the kernel's own form."""
    actions = {}
    for number in range(1, 65):
        action = ctypes.create_string_buffer(_ACTION_BYTES)
        if _libc.syscall(_NR_SIGACTION, number, None, action, 8) == 0:
            actions[number] = action.raw
    return actions


def look(actions_at_start):
    """What there is to carry; of signals only what differs from the start.

    `actions`, `mask` and `stack` are for the script that is replayed; the rest is for `take_up`.
    """
    _refuse_company()
    _refuse_timers()
    changed = [
        (number, action)
        for number, action in signal_actions().items()
        if actions_at_start.get(number) != action
    ]
    mask = sum(1 << (number - 1) for number in signal.pthread_sigmask(signal.SIG_BLOCK, ()))
    stack = ctypes.create_string_buffer(_STACK_BYTES)
    _libc.syscall(_NR_SIGALTSTACK, None, stack)
    has_stack = not struct.unpack_from("<i", stack.raw, 8)[0] & _SS_DISABLE
    files, sockets = _descriptors()
    umask = os.umask(0)
    os.umask(umask)
    taken = {descriptor for descriptor, *_ in files + sockets}
    return {
        "actions": changed,
        "mask": struct.pack("<Q", mask),
        "stack": stack.raw if has_stack else b"",
        "files": files,
        "sockets": sockets,
        "directory": os.getcwd(),
        "umask": umask,
        "free": next(n for n in range(_STANDARD + 1, 1024) if n not in taken),
    }


def take_up(facts):
    """Make this process's descriptors, directory and mask those of the facts."""
    os.closerange(_STANDARD + 1, IMAGE_DESCRIPTOR)
    os.closerange(IMAGE_DESCRIPTOR + 1, 1024)
    for descriptor, path, flags, position, inheritable in facts["files"]:
        opened = os.open(path, flags)
        if position:
            os.lseek(opened, position, os.SEEK_SET)
        _move(opened, descriptor, inheritable)
    for descriptor, family, kind, peer, inheritable in facts["sockets"]:
        with socket.socket(family, kind) as fresh:
            if peer is not None:
                fresh.connect(tuple(peer))
            _move(fresh.detach(), descriptor, inheritable)
    os.chdir(facts["directory"])
    os.umask(facts["umask"])


def _move(opened, descriptor, inheritable):
    if opened != descriptor:
        os.dup2(opened, descriptor, inheritable)
        os.close(opened)
    else:
        os.set_inheritable(descriptor, inheritable)


def _refuse_company():
    threads = len(os.listdir("/proc/self/task"))
    if threads > 1:
        names = sorted(t.name for t in threading.enumerate() if t is not threading.main_thread())
        raise UnfitError("it has %d threads%s" % (threads, _listed(names)))
    with open("/proc/self/task/%d/children" % threading.get_native_id()) as children:
        count = len(children.read().split())
    if count:
        raise UnfitError("it has %d child processes" % count)


def _refuse_timers():
    for which in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
        if signal.getitimer(which)[0]:
            raise UnfitError("it has an alarm set")
    try:
        with open("/proc/self/timers") as timers:
            count = timers.read().count("ID:")
    except OSError:
        return
    if count:
        raise UnfitError("it has %d timers" % count)


def _descriptors():
    files, sockets = [], []
    for name in os.listdir("/proc/self/fd"):
        descriptor = int(name)
        if descriptor <= _STANDARD or descriptor == IMAGE_DESCRIPTOR:
            continue
        try:
            kind = os.fstat(descriptor).st_mode
        except OSError:
            # The one that the directory was listed by.
            continue
        if stat.S_ISSOCK(kind):
            sockets.append(_socket(descriptor))
        else:
            files.append(_file(descriptor, kind))
    return files, sockets


def _file(descriptor, kind):
    path = os.readlink("/proc/self/fd/%d" % descriptor)
    usual = stat.S_ISREG(kind) or stat.S_ISDIR(kind) or path in _DEVICES
    if not usual or not os.path.exists(path):
        raise UnfitError("it has %s open" % path)
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL) & _KEPT_FLAGS
    position = os.lseek(descriptor, 0, os.SEEK_CUR) if stat.S_ISREG(kind) else 0
    return descriptor, path, flags, position, os.get_inheritable(descriptor)


def _socket(descriptor):
    with socket.socket(fileno=os.dup(descriptor)) as found:
        family, kind = found.family, found.type
        listens = found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        try:
            peer = found.getpeername()
        except OSError:
            peer = None
    if family not in _INTERNET or listens:
        what = "listens on" if listens else "has"
        raise UnfitError("it %s a socket of family %s" % (what, socket.AddressFamily(family).name))
    kept = peer if kind == socket.SOCK_DGRAM else None
    return descriptor, int(family), int(kind), kept, os.get_inheritable(descriptor)


def _listed(names):
    text = ", ".join(names[:3])
    return " (%s)" % text if text else ""
