"""The few system calls that Python's standard library does not wrap.

Runs inside the zygote and the sandboxes: standard library only, Python 3.9 or later.
"""

import contextlib
import ctypes
import os
import platform
import random
import resource
import signal
import struct
import threading

_libc = ctypes.PyDLL(None, use_errno=True)
# PyDLL keeps the interpreter lock: a fork must not let another thread of control in.
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long

_ARM = platform.machine() == "aarch64"
_NR_PIVOT_ROOT = 41 if _ARM else 155
_NR_SECCOMP = 277 if _ARM else 317
_NR_CAPSET = 91 if _ARM else 126
_NR_SIGNALFD4 = 74 if _ARM else 289
_NR_OPEN_TREE = 428
_NR_MOVE_MOUNT = 429
_NR_CLONE3 = 435
_NR_MOUNT_SETATTR = 442

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
CLONE_PIDFD = 0x00001000
CLONE_INTO_CGROUP = 0x200000000

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_REMOUNT = 0x20
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000
MNT_DETACH = 0x2

MOUNT_ATTR_RDONLY = 0x1
MOUNT_ATTR_NOSUID = 0x2
MOUNT_ATTR_NODEV = 0x4
_AT_FDCWD = -100
_AT_EMPTY_PATH = 0x1000
_AT_RECURSIVE = 0x8000
_OPEN_TREE_CLONE = 0x1
_OPEN_TREE_CLOEXEC = os.O_CLOEXEC
_MOVE_MOUNT_F_EMPTY_PATH = 0x4

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_CAPBSET_DROP = 24
_PR_SET_SECUREBITS = 28
_SECBIT_NO_SETUID_FIXUP = 0x4
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_SECCOMP_SET_MODE_FILTER = 1
_CAP_VERSION_3 = 0x20080522

_SIGNALS = 1024
_QUEUES_BYTES = 819_200
_SHARES = 8
_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 0x1


ctypes.pythonapi.PyThread_get_thread_ident.restype = ctypes.c_ulong
_THREAD_WORDS = 512
_THREAD_ID_AT = []


class KernelRefusalError(OSError):
    """A system call failed; the text names it and what it was asked."""


def _check(result, what):
    if result < 0:
        number = ctypes.get_errno()
        raise KernelRefusalError(number, "%s: %s" % (what, os.strerror(number)))
    return result


def call(number, *arguments):
    """A system call by its number; -1 where it fails, see `checked`."""
    return _syscall(number, *arguments)


def checked(result, what):
    """The result, or the error it stands for."""
    return _check(result, what)


def mount(source, target, kind, flags=0, options=None):
    """mount(2)."""
    text = options.encode() if options else None
    done = _libc.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), text)
    _check(done, "mount %s on %s" % (source, target))


def unmount(target):
    """Detach what is mounted on the target."""
    _check(_libc.umount2(target.encode(), MNT_DETACH), "umount %s" % target)


def bind_read_only(source, target, devices=False):
    """Show the tree at source, submounts included, at target: read-only, without setuid bits.

    Device files inside it work only if `devices` is set.
    """
    tree = _check(
        _syscall(
            _NR_OPEN_TREE,
            _AT_FDCWD,
            source.encode(),
            _OPEN_TREE_CLONE | _OPEN_TREE_CLOEXEC | _AT_RECURSIVE,
        ),
        "open_tree %s" % source,
    )
    try:
        wanted = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | (0 if devices else MOUNT_ATTR_NODEV)
        attributes = struct.pack("=QQQQ", wanted, 0, MS_PRIVATE, 0)
        flags = _AT_EMPTY_PATH | _AT_RECURSIVE
        _check(
            _syscall(_NR_MOUNT_SETATTR, tree, b"", flags, attributes, len(attributes)),
            "mount_setattr %s" % source,
        )
        attach_mount(tree, target)
    finally:
        os.close(tree)


def attach_mount(tree, target):
    """Attach a detached mount, given by descriptor, at target."""
    _check(
        _syscall(_NR_MOVE_MOUNT, tree, b"", _AT_FDCWD, target.encode(), _MOVE_MOUNT_F_EMPTY_PATH),
        "move_mount to %s" % target,
    )


def enter_root(new_root, old_inside):
    """pivot_root into new_root; the old root goes away."""
    _check(
        _syscall(_NR_PIVOT_ROOT, new_root.encode(), old_inside.encode()), "pivot_root %s" % new_root
    )
    os.chdir("/")
    unmount(old_inside[len(new_root) :])


def unshare(flags):
    """unshare(2)."""
    _check(_libc.unshare(flags), "unshare %#x" % flags)


def count_for(uid):
    """Have the kernel count for this user what is used in the user namespace that is made next.

    Watches of files, queues and signals that wait are counted for each user, and again for who made
    the namespace: it should be nobody who needs them. Queues of all users together would be bound
    by the maker's limit.
    """
    _check(_libc.prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP, 0, 0, 0), "securebits")
    with contextlib.suppress(ValueError):
        # Root of some containers may not.
        unbounded = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.setrlimit(resource.RLIMIT_MSGQUEUE, unbounded)
    os.seteuid(uid)


def fork_into(flags, cgroup=-1, wanted_pid=0):
    """fork() into new namespaces and a cgroup: (0, -1) in the child, (pid, pidfd) in the parent.

    The child has the wanted process id, if one is wanted; that takes power over the pid namespace.

    `cgroup` is the descriptor of a cgroup v2 directory. To be born in it is cheap; to move there
    takes a lock that stops every fork of the machine.

    Neither glibc's nor Python's fork handlers run: a process that has never had a second thread has
    nothing for them to mend, and they would touch, and so copy, a hundred pages. Only the thread id
    that glibc remembers must be put right. `refresh_after_fork` does what a program may notice.
    """
    pidfd = ctypes.c_int(-1)
    flags |= CLONE_PIDFD
    if cgroup >= 0:
        flags |= CLONE_INTO_CGROUP
    wanted = ctypes.c_int(wanted_pid)
    ids = (ctypes.addressof(wanted), 1) if wanted_pid else (0, 0)
    where = (flags, ctypes.addressof(pidfd), 0, 0, signal.SIGCHLD, 0, 0, 0, *ids, max(cgroup, 0))
    arguments = struct.pack("=11Q", *where)
    remembered = _remembered_thread_id()
    pid = _syscall(_NR_CLONE3, arguments, len(arguments))
    if pid == 0:
        if remembered is not None:
            remembered.value = threading.get_native_id()
        return 0, -1
    if pid < 0:
        number = ctypes.get_errno()
        raise KernelRefusalError(number, "clone3 %#x: %s" % (flags, os.strerror(number)))
    return pid, pidfd.value


def refresh_after_fork():
    """What Python's own fork handlers would have renewed: randomness, and the thread's name."""
    random.seed()
    threading.main_thread()._set_native_id()  # noqa: SLF001 - as its own fork handler does


def _remembered_thread_id():
    """Where glibc keeps the id of this thread, which raw forks leave stale."""
    if not _THREAD_ID_AT:
        here = ctypes.pythonapi.PyThread_get_thread_ident()
        words = (ctypes.c_int * _THREAD_WORDS).from_address(here)
        found = [n for n, word in enumerate(words) if word == threading.get_native_id()]
        _THREAD_ID_AT.append(here + 4 * found[0] if len(found) == 1 else 0)
    address = _THREAD_ID_AT[0]
    return ctypes.c_int.from_address(address) if address else None


def die_with_parent():
    """Be killed when the process that forked this one ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def give_way():
    """Never take the processor from who has just woken this process, and from none of its children.

    The server wakes a runtime for each event. Without this it would be put off there each time, in
    the middle of its work for others. Shares of the processor stay as they are.
    """
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def become_reaper():
    """Get all descendants whose parent ends for children."""
    _check(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "child subreaper")


def hide_memory():
    """Refuse to be traced or dumped by processes of the same user."""
    _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def show_memory():
    """Undo what a change of uid does to /proc/self: the process may look at itself again."""
    _libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)


def give_up_new_privileges():
    """No program started from here on gains privileges, and the bounding set is empty."""
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    for capability in range(64):
        if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) < 0:
            break


def limit_counted(is_shared):
    """Bound what is counted by user: signals that wait, and queues.

    What all sandboxes have together may be bounded too, and then each has a part. A user that is
    not the sandbox's alone keeps half for others.
    """
    for which, usual in (
        (resource.RLIMIT_SIGPENDING, _SIGNALS),
        (resource.RLIMIT_MSGQUEUE, _QUEUES_BYTES),
    ):
        most = resource.getrlimit(which)[1]
        if most == resource.RLIM_INFINITY:
            limit = usual
        else:
            limit = most // 2 if is_shared else min(usual, most // _SHARES)
        resource.setrlimit(which, (limit, limit))


def drop_capabilities():
    """Empty the effective, permitted, inheritable and ambient sets."""
    _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    header = struct.pack("=Ii", _CAP_VERSION_3, 0)
    _check(_syscall(_NR_CAPSET, header, bytes(24)), "capset")


def load_seccomp(program):
    """Install a BPF program (8 bytes an instruction) for this process and its descendants."""
    instructions = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(instructions))
    _check(_syscall(_NR_SECCOMP, _SECCOMP_SET_MODE_FILTER, 0, header), "seccomp")


def child_exit_descriptor():
    """A descriptor that is readable when a child has ended; SIGCHLD is blocked from here on."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    mask = struct.pack("=Q", 1 << (signal.SIGCHLD - 1))
    return _check(
        _syscall(_NR_SIGNALFD4, -1, mask, len(mask), os.O_NONBLOCK | os.O_CLOEXEC), "signalfd"
    )
