"""A sandbox without namespaces: a tree of processes, with what can be had around each.

The init is the reaper of all its descendants instead of process 1. With `confines`, the runtime
process limits itself before it runs a customer's code: no new privileges, no capabilities, a user
of its own where the server may give one, Landlock, and the filter of system calls. Without, it is a
process like any other of the server's user.

Paths are the host's. What a sandbox of namespaces has at /var/task, /var/runtime, /var/lang and
/opt is elsewhere here: these words are replaced in commands and variables.
"""

import os
import re
import resource
import signal
import sys
import time

import landlock
import linux

_KILL_ROUNDS = 10_000
_PLACES = re.compile(r"(?:^|(?<=:))/(?:var/task|var/runtime|var/lang|opt)(?=[/:]|$)")
_LIMITS = (
    (resource.RLIMIT_NOFILE, 1024),
    (resource.RLIMIT_STACK, 8 << 20),
    (resource.RLIMIT_MEMLOCK, 64 << 10),
    (resource.RLIMIT_CORE, 1),
)
_PROCESSES = 1_024


class Plain:
    """What takes the place of namespaces. The configuration is the `plain` of the zygote's."""

    def __init__(self, configuration):
        self.confines = configuration["confines"]
        self.command = configuration["command"]
        self.view = configuration["view"]
        self.scratch = configuration["scratch"]
        self.readable = configuration["readable"]
        self.writable = configuration["writable"]
        self.limits_ports = configuration["limits_ports"]
        self.has_landlock = bool(self.confines and landlock.version())

    def confine_zygote(self):
        """Before anything else in the zygote."""
        os.umask(0o077)
        if self.confines:
            linux.give_up_new_privileges()

    def fork(self):
        """As linux.fork_into without arguments; a container's own filter may know no clone3."""
        pid = os.fork()
        return (0, -1) if pid == 0 else (pid, os.pidfd_open(pid))

    def settle(self, init, prepare):
        """The function is known: where its code is, and a directory for its files."""
        init.home = {
            "code": init.template.code_store + "/" + prepare["code"],
            "opt": "",
            "tmp": self.scratch + "/" + prepare["name"],
            "tmp_bytes": prepare["tmp_bytes"],
            "ports": [int(p.rpartition(":")[2]) for p in init.places[1:3] if p],
        }
        if prepare["opt"]:
            init.home["opt"] = init.template.code_store + "/" + prepare["opt"]
        os.makedirs(init.home["tmp"], 0o700, exist_ok=True)
        if init.uid:
            os.chown(init.home["tmp"], init.uid, init.uid)

    def extensions(self, init):
        """Name -> why not, of programs in layers: without namespaces none is started."""
        try:
            names = os.listdir(init.home["opt"] + "/extensions") if init.home["opt"] else []
        except OSError:
            names = []
        return dict.fromkeys(names, "NotSupportedHere")

    def signal_all(self, init, number):
        """Signal every descendant of this process; with SIGKILL none is left."""
        if number != signal.SIGKILL:
            for pid in _descendants(os.getpid()):
                _signal(pid, number)
            return
        for _ in range(_KILL_ROUNDS):
            if init.uid:
                _kill_user(init.uid)
            for pid in _descendants(os.getpid()):
                _signal(pid, signal.SIGKILL)
            if not _reap_all():
                return
            time.sleep(0)

    def enter(self, init):
        """In the runtime process, before the function is known."""
        for which, limit in _LIMITS:
            _lower(which, limit)
        if self.confines:
            _lower(resource.RLIMIT_NPROC, _PROCESSES)
            linux.limit_counted(is_shared=not init.uid)
            if init.uid:
                os.setgroups([])
                os.setresgid(init.uid, init.uid, init.uid)
                os.setresuid(init.uid, init.uid, init.uid)
            linux.drop_capabilities()
        linux.die_with_parent()
        linux.show_memory()

    def go_home(self, template, launch):
        """In the runtime process: the launch as it is here, and the last of the confinement."""
        home = launch["home"]
        places = {"/var/task": home["code"], "/opt": home["opt"] or self.view + "/opt"}

        def here(text):
            return _PLACES.sub(lambda m: places.get(m[0], self.view + m[0]), text)

        launch["environment"] = {n: here(v) for n, v in launch["environment"].items()}
        launch["environment"].setdefault("TMPDIR", home["tmp"])
        # No program waits ahead of need here: it could not be confined to code it does not know.
        command = launch["command"] or ([] if template.run else self.command)
        launch["command"] = [here(word) for word in command]
        launch["entrypoints"] = [here(word) for word in launch["entrypoints"]]
        sys.path[:] = [here(path) for path in sys.path]
        sys.argv[:] = [here(word) for word in sys.argv]
        os.chdir(home["code"])
        _lower(resource.RLIMIT_FSIZE, home["tmp_bytes"])
        if self.has_landlock:
            readable = [*self.readable, home["code"], *([home["opt"]] if home["opt"] else [])]
            writable = [*self.writable, home["tmp"]]
            landlock.restrict(readable, writable, home["ports"] if self.limits_ports else None)
        if self.confines:
            linux.load_seccomp(template.seccomp)


def _kill_user(uid):
    """Nobody else has that user: one call reaches also what is being forked meanwhile."""
    pid = os.fork()
    if pid == 0:
        try:
            os.setresuid(uid, uid, uid)
            os.kill(-1, signal.SIGKILL)
        except OSError:
            pass
        finally:
            os._exit(0)


def _lower(which, limit):
    most = resource.getrlimit(which)[1]
    lowered = limit if most == resource.RLIM_INFINITY else min(limit, most)
    resource.setrlimit(which, (lowered, lowered))


def _descendants(root):
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        try:
            tasks = os.listdir("/proc/%d/task" % pid)
        except OSError:
            continue
        for task in tasks:
            try:
                with open("/proc/%d/task/%s/children" % (pid, task)) as text:
                    children = [int(word) for word in text.read().split()]
            except OSError:
                continue
            found += children
            waiting += children
    return found


def _signal(pid, number):
    try:
        os.kill(pid, number)
    except OSError:
        pass


def _reap_all():
    """Take note of all that have ended; whether any are left."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:
            return True
