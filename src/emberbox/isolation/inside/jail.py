"""Inside one sandbox: its init process, and the runtime process that runs a customer's code.

`run_init` is process 1 of the sandbox's pid namespace. It mounts what belongs to this sandbox,
keeps what is needed to start a runtime again after a time-out or a crash, reaps, and obeys the
server. It never runs a customer's code and is not in the customer's cgroup.

The runtime process is forked ahead of time: it has joined the cgroups, changed its uid, lost its
capabilities and loaded the seccomp filter before it learns which function it will be. Where a
language has a runtime that can wait for that (`waiting`), it has become that program already; a
launch with a command of its own gets a fresh process.

    server -> init   {"prepare": {"code", "opt", "tmp_bytes", "hostname"}, "launch": {...}}   first
    server -> init   {"launch": {...}}           a fresh runtime, after {"empty"}
                     + descriptors: a disk for /tmp, a file system ("prepare" says so), an image
                     ("launch" does)
    server -> init   {"extensions": {...}}       their programs, before the runtime
    server -> init   {"signal": n}               to the runtime process alone
    server -> init   {"socket": true}            a blank TCP socket of the sandbox's network
    server -> init   {"kill": true}              all processes but init; also "stop", "continue"
    init -> server   {"ready": places} + descriptors   listening sockets, in the order of the doors,
                                                       or bound ones for datagrams
    init -> server   {"exited": status}          the runtime process itself (wait status)
    init -> server   {"extensions": [...], "not_started": {...}} + descriptor of their output
    init -> server   {"extension": name, "status": n}   one of them has ended
    init -> server   {"socket": true} + descriptor
    init -> server   {"empty": true}             nothing but init is left
    init -> server   {"failed": text}            the sandbox is unusable
"""

import json
import os
import select
import signal
import socket

import becoming
import extensions
import linux
import network

_MESSAGE_MAX = 98304
_TEMPLATE_PID = 30000
_BACKLOG = 64
_NAME_LENGTH = 107


class Template:
    """What all sandboxes of a zygote share."""

    def __init__(
        self, run, waiting, waiting_variables, seccomp, code_store, hidden, doors, network, router,
        plain, foresee, copy_ahead
    ):  # fmt: skip
        self.foresee = foresee
        self.copy_ahead = copy_ahead
        self.pages = ()
        self.run = run
        self.waiting = waiting
        self.waiting_variables = waiting_variables
        self.seccomp = seccomp
        self.code_store = code_store
        self.hidden = hidden
        self.doors = doors
        self.network = network
        self.router = router
        self.plain = plain


class _Init:
    def __init__(self, template, uid, place, control, log, birthplace, cgroups):
        self.template = template
        self.uid = uid
        self.place = place
        self.control = control
        self.log = log
        self.birthplace = birthplace
        self.cgroups = cgroups
        self.runtime = 0
        self.extensions = {}
        self.launch = -1
        self.ended = -1
        self.places = []
        self.home = None

    def send(self, message, descriptors=()):
        socket.send_fds(self.control, [json.dumps(message).encode()], descriptors)


def run_init(template, uid, place, has_birthplace, descriptors):
    """Become process 1 of the sandbox; does not return.

    The descriptors are the control socket, the log pipe, the cgroup v2 directory that the runtime
    is born in (if there is one), and the files through which it joins cgroup v1 groups.
    """
    control, log = socket.socket(fileno=descriptors[0]), descriptors[1]
    birthplace = descriptors[2] if has_birthplace else -1
    init = _Init(template, uid, place, control, log, birthplace, descriptors[2 + has_birthplace :])
    status = 1
    try:
        # Without a pid namespace it must outlive its parent, to end its own tree.
        if template.plain is None:
            linux.die_with_parent()
        linux.hide_memory()
        _furnish(init)
        _fork_runtime(init, bool(template.waiting))
        _obey(init)
        if template.plain is not None:
            _signal_all(init, signal.SIGKILL)
        status = 0
    except BaseException as error:
        try:
            init.send({"failed": "%s: %s" % (type(error).__name__, error)})
        except OSError:
            pass
    finally:
        os._exit(status)


def _furnish(init):
    if init.template.plain is not None:
        linux.become_reaper()
    else:
        flags = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC
        linux.mount("proc", "/proc", "proc", flags | linux.MS_RDONLY)
        # The host's boot parameters are nobody's business here.
        linux.mount("/dev/null", "/proc/cmdline", "", linux.MS_BIND)
        network.join(init.template.network, init.template.router, init.place)
    listening, places = [], init.places
    for place in init.template.doors:
        if place is None:
            places.append("")
            continue
        if isinstance(place, list):
            door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            door.bind(tuple(place))
            places.append("%s:%d" % door.getsockname())
            listening.append(door)
            continue
        # A name that begins with @ is of the abstract kind: it lives in the network namespace.
        if isinstance(place, str):
            door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            # A name of its own, where the namespace is not; as long as all are, see the runtimes.
            name = place[1:] or os.urandom(8).hex().ljust(_NAME_LENGTH, "-")
            door.bind("\0" + name)
            places.append("@" + door.getsockname()[1:].decode("ascii"))
        else:
            door = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            door.bind(("127.0.0.1", place))
            places.append("127.0.0.1:%d" % door.getsockname()[1])
        door.listen(_BACKLOG)
        listening.append(door)
    init.ended = linux.child_exit_descriptor()
    init.send({"ready": places}, [door.fileno() for door in listening])
    for door in listening:
        door.close()


def _obey(init):
    poll = select.poll()
    poll.register(init.control, select.POLLIN)
    poll.register(init.ended, select.POLLIN)
    while True:
        for descriptor, _ in poll.poll():
            if descriptor == init.ended:
                _reap(init)
                continue
            data, descriptors, _, _ = socket.recv_fds(init.control, _MESSAGE_MAX, 4)
            if not data:
                return
            _command(init, json.loads(data), descriptors)


def _command(init, message, descriptors):
    if "prepare" in message:
        _prepare(init, message["prepare"], descriptors)
    if "extensions" in message:
        _start_extensions(init, message["extensions"])
    if "launch" in message:
        launch = message["launch"]
        _launch(init, launch, descriptors.pop(0) if launch["image"] else -1)
    if "signal" in message and init.runtime and init.launch < 0:
        os.kill(init.runtime, message["signal"])
    if "socket" in message:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as blank:
            init.send({"socket": True}, [blank.fileno()])
    # Signals freeze only where the cgroup freezer is not to be had: a customer can undo them.
    if "stop" in message:
        _signal_all(init, signal.SIGSTOP)
    if "continue" in message:
        _signal_all(init, signal.SIGCONT)
    if "kill" in message:
        if init.launch >= 0:
            # The runtime has not been used yet: its end is of no interest.
            os.close(init.launch)
            init.launch, init.runtime = -1, 0
        _signal_all(init, signal.SIGKILL)
        _reap(init)


def _prepare(init, prepare, descriptors):
    if init.template.plain is not None:
        init.template.plain.settle(init, prepare)
    else:
        _mount_function(init.template, prepare, descriptors.pop(0) if prepare["disk"] else -1)
        if prepare["shared"]:
            _mount_file_system(prepare["shared"], descriptors.pop(0))


def _launch(init, launch, image):
    waits = bool(init.template.waiting) and not launch["command"]
    # Libraries tell by its id whether a process is another than it was: what takes up the image of
    # a template must never have the template's.
    pid = _TEMPLATE_PID if launch["image"] == "save" else 0
    if init.launch >= 0 and (pid or (init.template.waiting and not waits)):
        # A program that waits cannot become another one. Its end is of no interest.
        unwanted, init.runtime = init.runtime, 0
        os.close(init.launch)
        _fork_runtime(init, waits, pid)
        os.kill(unwanted, signal.SIGKILL)
    elif init.launch < 0:
        _fork_runtime(init, waits, pid)
    launch["home"] = init.home
    data = json.dumps(launch).encode()
    if image >= 0:
        with socket.socket(fileno=init.launch) as channel:
            socket.send_fds(channel, [data], [image])
        os.close(image)
    else:
        os.write(init.launch, data)
        os.close(init.launch)
    init.launch = -1


def _start_extensions(init, environment):
    if init.template.plain is not None:
        # Nothing is at /opt here, and what is there on the host is not the customer's.
        init.send({"extensions": [], "not_started": init.template.plain.extensions(init)})
        return
    running, failed, output = extensions.start(init, environment, becoming.enter)
    init.extensions = {pid: name for name, pid in running.items()}
    message = {"extensions": list(running), "not_started": failed}
    init.send(message, [output] if output >= 0 else [])
    if output >= 0:
        os.close(output)


def _signal_all(init, number):
    """Signal every process of the sandbox but this one."""
    if init.template.plain is not None:
        init.template.plain.signal_all(init, number)
        return
    try:
        os.kill(-1, number)
    except ProcessLookupError:
        pass


def _mount_function(template, prepare, disk):
    socket.sethostname(prepare["hostname"])
    code = template.code_store + "/" + prepare["code"]
    linux.mount(code, "/var/task", "", linux.MS_BIND)
    if prepare["opt"]:
        linux.mount(template.code_store + "/" + prepare["opt"], "/opt", "", linux.MS_BIND)
    # The store holds other functions' code: cover it before any code of a customer runs.
    linux.mount("empty", template.hidden, "tmpfs", linux.MS_RDONLY | linux.MS_NOSUID, "size=4k")
    if disk >= 0:
        linux.attach_mount(disk, "/tmp")
        os.close(disk)
    else:
        options = "mode=1777,size=%d,nr_inodes=%d" % (
            prepare["tmp_bytes"],
            max(4096, prepare["tmp_bytes"] >> 13),
        )
        linux.mount("tmp", "/tmp", "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, options)


def _mount_file_system(place, tree):
    options = "mode=755,size=4k"
    linux.mount("mnt", "/mnt", "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, options)
    os.mkdir(place)
    linux.attach_mount(tree, place)
    os.close(tree)


def _reap(init):
    try:
        os.read(init.ended, 4096)
    except BlockingIOError:
        pass
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            if init.runtime:
                init.runtime = 0
            _clear(init)
            init.send({"empty": True})
            return
        if pid == 0:
            return
        if pid == init.runtime:
            init.runtime = 0
            if init.launch >= 0:
                raise RuntimeError("the runtime process ended before it was used")
            init.send({"exited": status})
        elif pid in init.extensions:
            init.send({"extension": init.extensions.pop(pid), "status": status})


def _clear(init):
    """Nothing but files outlives the processes: shared memory, semaphores and queues go too."""
    if init.template.plain is None:
        linux.unshare(linux.CLONE_NEWIPC)


def _fork_runtime(init, waits, wanted_pid=0):
    reading, writing = os.pipe() if waits else _socket_pair()
    if init.template.plain is not None:
        pid, pidfd = init.template.plain.fork()
    else:
        pid, pidfd = linux.fork_into(0, init.birthplace, wanted_pid)
    if pid == 0:
        try:
            # In an image there is only what a template itself has written to.
            becoming.become_runtime(init, reading, waits, () if wanted_pid else init.template.pages)
        except BaseException as error:
            os.write(2, ("emberbox: %s: %s\n" % (type(error).__name__, error)).encode())
        finally:
            os._exit(70)
    os.close(reading)
    os.close(pidfd)
    init.runtime = pid
    init.launch = writing


def _socket_pair():
    """Like a pipe, but descriptors can be passed through it."""
    reading, writing = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    return reading.detach(), writing.detach()
