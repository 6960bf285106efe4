"""What a fresh child of a sandbox's init does to become a process of the customer's.

It has been given nothing yet but the init's memory: here it gets descriptors and limits, joins the
control groups, and loses its user, its capabilities and most system calls. Only then does a runtime
process learn which function it is.
"""

import fcntl
import gc
import json
import os
import resource
import signal
import socket
from functools import partial

import leaving
import linux

_LOG_DESCRIPTOR = 3
_LAUNCH_DESCRIPTOR = 4
_STACK_BYTES = 8 << 20
_MEMLOCK_BYTES = 64 << 10
_DESCRIPTORS = 1024
_PROCESSES = 1024
_IMAGE_DESCRIPTOR = 1000


def become_runtime(init, reading, waits, pages):
    """The runtime process: wait for a launch, and be what it says; does not return.

    `pages` are those that it will write to.
    """
    last = _LAUNCH_DESCRIPTOR if waits else _LOG_DESCRIPTOR
    null = os.open("/dev/null", os.O_RDWR)
    enter(init, ((null, 0), (init.log, 1), (init.log, 2), (init.log, 3), (reading, 4)), last)
    template = init.template
    if waits:
        _execute(template.waiting, {**template.waiting_variables, **_places(init)})
    gc.enable()
    if pages:
        # What a sandbox does before it is needed, a first invocation need not wait for.
        template.copy_ahead(pages)
    _run(template, _read_launch())


def enter(init, descriptors, last_inherited):
    """Make a process of the customer's out of a fresh child: these descriptors and no others."""
    os.setsid()
    for cgroup in init.cgroups:
        os.write(cgroup, b"0")
    if init.template.plain is None:
        linux.unshare(linux.CLONE_NEWCGROUP)
    for descriptor, number in [(_high(descriptor), number) for descriptor, number in descriptors]:
        os.dup2(descriptor, number, inheritable=number <= last_inherited)
    os.closerange(len(descriptors), _DESCRIPTORS)
    _limit_and_drop(init)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    linux.refresh_after_fork()


def _high(descriptor):
    """A copy that cannot collide with the numbers the runtime is given."""
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD, 64)


def _places(init):
    """Where the Runtime API is in this sandbox, for a program that connects before it waits."""
    return {"_EMBERBOX_RUNTIME_SOCKET": init.places[0], "AWS_LAMBDA_RUNTIME_API": init.places[1]}


def _limit_and_drop(init):
    if init.template.plain is not None:
        init.template.plain.enter(init)
        return
    uid = init.uid
    for which, limit in (
        (resource.RLIMIT_NOFILE, _DESCRIPTORS),
        (resource.RLIMIT_STACK, _STACK_BYTES),
        (resource.RLIMIT_MEMLOCK, _MEMLOCK_BYTES),
        # Not 0: that would not keep a host's crash handler from being started, 1 does.
        (resource.RLIMIT_CORE, 1),
        # Without a uid of its own the count covers all sandboxes of the zygote together.
        (resource.RLIMIT_NPROC, _PROCESSES),
    ):
        most = resource.getrlimit(which)[1]
        lowered = limit if most == resource.RLIM_INFINITY else min(limit, most)
        resource.setrlimit(which, (lowered, lowered))
    linux.limit_counted(is_shared=not uid)
    if uid:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    linux.drop_capabilities()
    linux.show_memory()
    linux.load_seccomp(init.template.seccomp)


def _read_launch():
    parts = []
    with socket.socket(fileno=_LAUNCH_DESCRIPTOR) as channel:
        while True:
            part, descriptors, _, _ = socket.recv_fds(channel, 65536, 1)
            if not part:
                break
            parts.append(part)
            for descriptor in descriptors:
                os.dup2(descriptor, _IMAGE_DESCRIPTOR, inheritable=False)
                os.close(descriptor)
    if not parts:
        os._exit(0)
    return json.loads(b"".join(parts))


def _run(template, launch):
    if template.plain is not None:
        template.plain.go_home(template, launch)
    else:
        os.chdir("/var/task")
    image, variables = launch["image"], launch["environment"]
    os.environ.clear()
    if image == "resume":
        # They are for the process that this one becomes.
        leaving.exit_as_python_does(partial(template.run, image, variables))
    os.environ.update(variables)
    command = launch["command"] + _entrypoint(launch["entrypoints"])
    if command:
        _execute(command, dict(os.environ))
    leaving.exit_as_python_does(partial(template.run, image))


def _entrypoint(places):
    """The first of these programs that is there; the first one if none is."""
    return [place for place in places if os.path.exists(place)][:1] or places[:1]


def _execute(command, variables):
    # Python ignores these, and what is ignored stays so in another program.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execve(command[0], command, variables)
    except OSError as error:
        os.write(2, ("%s: %s\n" % (command[0], error.strerror)).encode())
        os._exit(127)
