"""The zygote: a small single-threaded process that forks sandboxes for one runtime program.

It is started by the server, builds the read-only root view that every sandbox shares, gives up what
it does not need, imports what the process of a Python function needs, and then does one thing: fork
into new namespaces when told to. It never runs a customer's code.

It talks to the server over a SOCK_SEQPACKET socket (its descriptor is the first argument):

    server -> zygote   {"configure": {...}}                     once
    zygote -> server   {"map": true}                            maps of the user namespace, please
    server -> zygote   {"mapped": true}
    zygote -> server   {"router": translates} + descriptors     where functions reach the world
    server -> zygote   {"uplinked": true}
    zygote -> server   {"serving": true}
    server -> zygote   {"spawn": id, "uid": n, "place": n, "born": bool} + descriptors
    zygote -> server   {"spawned": id, "pid": n} + pidfd        or {"spawned": id, "error": text}
    zygote -> server   {"ended": pid, "status": n}
"""

import json
import os
import select
import signal
import socket
import sys

import jail
import linux
import network
import plain
import sharing

_DEVICES = ("null", "zero", "full", "random", "urandom")
_MESSAGE_MAX = 262144
_DESCRIPTORS_MAX = 16
_OWN_MODULES = []


def main():
    """Configure, confine, preload, serve."""
    control = socket.socket(fileno=int(sys.argv[1]))
    linux.die_with_parent()
    linux.give_way()
    _heed_signals()
    configuration = json.loads(control.recv(_MESSAGE_MAX))["configure"]
    try:
        router, ground = None, None
        if configuration["plain"]:
            ground = plain.Plain(configuration["plain"])
            ground.confine_zygote()
        else:
            router = _confine(control, configuration)
        template = _preload(configuration, router, ground)
    except Exception as error:
        control.send(json.dumps({"failed": "%s: %s" % (type(error).__name__, error)}).encode())
        return
    try:
        control.send(b'{"serving": true}')
        _serve(control, template)
    except ConnectionError:
        # The server has ended or let go of this zygote, with a message still on its way.
        return


def _heed_signals():
    """A shell's `&`, or nohup, has the server ignore signals, which is no business of functions."""
    for number in signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ}:
        if signal.getsignal(number) is signal.SIG_IGN:
            usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            signal.signal(number, usual)


def _confine(control, configuration):
    os.umask(0o022)
    privileged = configuration["privileged"]
    if not privileged:
        linux.unshare(linux.CLONE_NEWUSER | linux.CLONE_NEWNS)
        _ask_for_maps(control)
    else:
        linux.unshare(linux.CLONE_NEWNS)
    linux.mount("none", "/", "", linux.MS_REC | linux.MS_PRIVATE)
    _build_root(configuration["scratch"], configuration)
    if privileged:
        # From here on, host root is gone: what the mounts above show is all this process can have.
        linux.count_for(configuration["owner"])
        linux.unshare(linux.CLONE_NEWUSER | linux.CLONE_NEWNS)
        _ask_for_maps(control)
        os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    linux.die_with_parent()
    _limit_watches(configuration["watches"])
    router = network.become_router(control) if configuration["network"] == "nat" else None
    linux.give_up_new_privileges()
    return router


def _limit_watches(limits):
    """What each user of this namespace may have: the kernel has as much for all of it together."""
    for name, most in limits.items():
        try:
            with open("/proc/sys/user/" + name, "w") as limit:
                limit.write(str(most))
        except OSError:
            # Not there, or read-only, as in containers.
            pass


def _ask_for_maps(control):
    control.send(b'{"map": true}')
    if not control.recv(_MESSAGE_MAX):
        raise RuntimeError("the server went away")


def _build_root(root, configuration):
    linux.mount("emberbox", root, "tmpfs", linux.MS_NOSUID, "mode=0755,size=4m,nr_inodes=4096")
    for path in configuration["directories"]:
        os.makedirs(root + path, 0o755, exist_ok=True)
    for path, text in configuration["files"].items():
        os.makedirs(os.path.dirname(root + path), 0o755, exist_ok=True)
        with open(root + path, "w") as out:
            out.write(text)
        os.chmod(root + path, 0o644)
    for path, target in configuration["links"].items():
        os.makedirs(os.path.dirname(root + path), 0o755, exist_ok=True)
        os.symlink(target, root + path)
    for source, path in configuration["binds"]:
        _bind(source, root + path)
    for path in configuration["covers"]:
        linux.mount("empty", root + path, "tmpfs", linux.MS_RDONLY | linux.MS_NOSUID, "size=4k")
    for name in _DEVICES:
        _bind("/dev/" + name, root + "/dev/" + name, devices=True)
    os.makedirs(root + "/proc", 0o555, exist_ok=True)
    # A visible proc is the kernel's condition for mounting a fresh one inside a user namespace.
    linux.mount("/proc", root + "/proc", "", linux.MS_BIND | linux.MS_REC)
    os.makedirs(root + "/old")
    linux.enter_root(root, root + "/old")
    os.rmdir("/old")
    linux.mount(
        "none", "/", "", linux.MS_REMOUNT | linux.MS_BIND | linux.MS_RDONLY | linux.MS_NOSUID
    )


def _bind(source, target, devices=False):
    if os.path.isdir(source):
        os.makedirs(target, 0o755, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), 0o755, exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_RDONLY, 0o644))
    linux.bind_read_only(source, target, devices)


def _preload(configuration, router, ground):
    """Import a Python runtime's modules once, for all sandboxes to share."""
    os.environ.clear()
    run = foresee = copy_ahead = None
    preload = configuration["preload"]
    if preload:
        library = [path for path in sys.path if path not in configuration["own_path"]]
        sys.path[:] = preload["sys_path"] + library
        sys.executable = preload["executable"]
        sys.argv[:] = ["/var/runtime/bootstrap.py"]
        for name in preload["modules"]:
            __import__(name)
        bootstrap = __import__("emberbox_bootstrap")
        _set_up_on_a_pipe(bootstrap.set_up)
        # A customer's module may have the same name.
        _OWN_MODULES.extend(sys.modules.pop(n) for n in _own_modules())
        sys.modules["__main__"] = type(sys)("__main__")
        sys.path_importer_cache.clear()
        run, foresee, copy_ahead = bootstrap.main, bootstrap.foresee, bootstrap.copy_ahead
    return jail.Template(
        run=run,
        waiting=configuration["waiting"],
        waiting_variables=configuration["waiting_variables"],
        seccomp=bytes.fromhex(configuration["seccomp"]),
        code_store=configuration["code_store"],
        hidden=configuration["hidden"],
        doors=tuple(configuration["doors"]),
        network=configuration["network"],
        router=router,
        plain=ground,
        foresee=foresee,
        copy_ahead=copy_ahead,
    )


def _own_modules():
    """Names of this program's modules, which lie beside this one."""
    here = os.path.dirname(__file__)
    found = [(n, getattr(m, "__file__", None) or "") for n, m in sys.modules.items()]
    return ["__main__", *(n for n, path in found if os.path.dirname(path) == here)]


def _set_up_on_a_pipe(set_up):
    """Streams remember whether they can seek: make them on a pipe, which is what they will be."""
    reading, writing = os.pipe()
    kept_streams = []
    for descriptor in (1, 2):
        kept = os.dup(descriptor)
        os.dup2(writing, descriptor)
        kept_streams.append((kept, descriptor))
    set_up()
    for kept, descriptor in kept_streams:
        os.dup2(kept, descriptor)
        os.close(kept)
    os.close(reading)
    os.close(writing)


def _serve(control, template):
    ended = linux.child_exit_descriptor()
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(ended, select.POLLIN)
    sharing.keep_shared()
    if template.foresee is not None and template.plain is None:
        template.pages = template.foresee(_fork_to_learn)
    while True:
        for descriptor, _ in poll.poll():
            if descriptor == ended:
                _report_ended(control, ended)
            elif not _spawn(control, template, ended):
                return


def _fork_to_learn():
    """A fork of this process that may look at its own page map; it never leaves the zygote."""
    pid, pidfd = linux.fork_into(0)
    if pid == 0:
        linux.show_memory()
    else:
        os.close(pidfd)
    return pid


def _spawn(control, template, ended):
    data, descriptors, _, _ = socket.recv_fds(control, _MESSAGE_MAX, _DESCRIPTORS_MAX)
    if not data:
        return False
    request = json.loads(data)
    try:
        if template.plain is not None:
            pid, pidfd = template.plain.fork()
        else:
            pid, pidfd = linux.fork_into(
                linux.CLONE_NEWPID | linux.CLONE_NEWNS | linux.CLONE_NEWIPC | linux.CLONE_NEWUTS
            )
    except OSError as error:
        control.send(json.dumps({"spawned": request["spawn"], "error": str(error)}).encode())
        pid, pidfd = -1, -1
    if pid == 0:
        control.close()
        os.close(ended)
        jail.run_init(template, request["uid"], request["place"], request["born"], descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    if pid > 0:
        answer = json.dumps({"spawned": request["spawn"], "pid": pid}).encode()
        socket.send_fds(control, [answer], [pidfd])
        os.close(pidfd)
    return True


def _report_ended(control, ended):
    os.read(ended, 4096)
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        control.send(json.dumps({"ended": pid, "status": status}).encode())
