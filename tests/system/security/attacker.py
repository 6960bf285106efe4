"""A hostile function: each operation is one attempt to leave the sandbox or to harm others.

Returns what came of it as text that begins with OK (it worked: bad) or NO (it was refused).
"""

import ctypes
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

libc = ctypes.CDLL(None, use_errno=True)

# Numbers on x86-64, each called with a descriptor or pointer that would not do.
RARE = {
    "process_vm_writev": 311, "pidfd_getfd": 438, "kcmp": 312, "move_pages": 279,
    "migrate_pages": 256, "add_key": 248, "request_key": 249, "name_to_handle_at": 303,
    "open_tree": 428, "move_mount": 429, "fsopen": 430, "mount_setattr": 442, "swapon": 167,
    "acct": 163, "io_setup": 206, "quotactl": 179, "kexec_load": 246, "syslog": 103,
    "fanotify_init": 300, "finit_module": 313, "iopl": 172, "adjtimex": 159, "vhangup": 153,
}  # fmt: skip

OWN_TMP = os.environ.get("TMPDIR", "/tmp")


def outcome(action):
    try:
        return "OK %r" % (action(),)
    except BaseException as error:
        return "NO %s: %s" % (type(error).__name__, error)


def refused(result):
    """What a raw system call gave."""
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def read(path):
    with open(path, "rb") as source:
        return source.read(100)


def write(path):
    with open(path, "w") as target:
        target.write("x")
    return path


def op_read(event):
    return {path: outcome(lambda p=path: read(p)) for path in event["paths"]}


def op_list(event):
    return {path: outcome(lambda p=path: sorted(os.listdir(p))) for path in event["paths"]}


def op_write(event):
    return {path: outcome(lambda p=path: write(p)) for path in event["paths"]}


def op_find(event):
    """Look for a marker in every file that can be seen, within bounds."""
    marker, found, seen = event["marker"].encode(), [], 0
    until = time.monotonic() + 8
    for top in (
        "/var",
        "/opt",
        "/tmp",
        "/.emberbox",
        "/etc",
        "/dev",
        "/root",
        "/home",
        "/srv",
        "/run",
    ):
        for place, directories, names in os.walk(top):
            directories[:] = [d for d in directories if d not in ("botocore", "lib")]
            for name in names:
                seen += 1
                try:
                    with open(os.path.join(place, name), "rb") as source:
                        if marker in source.read(65536):
                            found.append(os.path.join(place, name))
                except OSError:
                    pass
                if time.monotonic() > until:
                    return {"found": found, "seen": seen}
    return {"found": found, "seen": seen}


def op_processes(event):
    marker = event["marker"].encode()
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    leaks = []
    for pid in pids:
        for part in ("environ", "cmdline", "maps"):
            try:
                if marker in read("/proc/%d/%s" % (pid, part)):
                    leaks.append([pid, part])
            except OSError:
                pass
    return {
        "pids": pids,
        "leaks": leaks,
        "signal_init": outcome(lambda: os.kill(1, signal.SIGKILL)),
        "signal_all": outcome(lambda: os.kill(-1, 0)),
        "init_environ": outcome(lambda: read("/proc/1/environ")),
        "init_memory": outcome(lambda: read("/proc/1/mem")),
        "init_root": outcome(lambda: os.listdir("/proc/1/root")),
        "init_descriptors": outcome(lambda: os.listdir("/proc/1/fd")),
    }


def op_system_calls(event):
    return {
        "ptrace": outcome(lambda: refused(libc.ptrace(16, 1, 0, 0))),
        "process_vm_readv": outcome(lambda: refused(libc.syscall(310, 1, 0, 0, 0, 0, 0))),
        **{
            name: outcome(lambda number=number: refused(libc.syscall(number, -1, 0, 0, 0, 0, 0)))
            for name, number in RARE.items()
        },
        "mount": outcome(lambda: refused(libc.mount(b"x", b"/tmp", b"tmpfs", 0, None))),
        "umount": outcome(lambda: refused(libc.umount2(b"/var/task", 2))),
        "remount": outcome(lambda: refused(libc.mount(b"", b"/", b"", 0x20 | 0x1000, None))),
        "unshare": outcome(lambda: refused(libc.unshare(0x10000000))),
        "setns": outcome(lambda: refused(libc.setns(os.open("/proc/self/ns/net", 0), 0))),
        "chroot": outcome(lambda: os.chroot("/tmp")),
        "pivot_root": outcome(lambda: refused(libc.syscall(155, b"/tmp", b"/tmp"))),
        "init_module": outcome(lambda: refused(libc.syscall(175, 0, 0, b""))),
        "bpf": outcome(lambda: refused(libc.syscall(321, 0, 0, 0))),
        "perf_event_open": outcome(lambda: refused(libc.syscall(298, 0, 0, -1, -1, 0))),
        "keyctl": outcome(lambda: refused(libc.syscall(250, 0, -3, 0))),
        "userfaultfd": outcome(lambda: refused(libc.syscall(323, 0))),
        "io_uring": outcome(lambda: refused(libc.syscall(425, 1, 0))),
        "open_by_handle_at": outcome(lambda: refused(libc.syscall(304, 0, 0, 0))),
        "reboot": outcome(lambda: refused(libc.syscall(169, 0, 0, 0, 0))),
        "sethostname": outcome(lambda: socket.sethostname("mine")),
        "settimeofday": outcome(lambda: time.clock_settime(time.CLOCK_REALTIME, 0)),
        "clone_user_namespace": outcome(
            lambda: refused(libc.syscall(56, 0x10000000 | 17, 0, 0, 0, 0))
        ),
        "clone3": outcome(lambda: refused(libc.syscall(435, 0, 0))),
        "setuid": outcome(lambda: os.setuid(0)),
        "setgroups": outcome(lambda: os.setgroups([0])),
        "mknod": outcome(lambda: os.mknod("/tmp/disk", 0o60600, os.makedev(8, 0))),
        "nice": outcome(lambda: os.setpriority(os.PRIO_PROCESS, 0, -10)),
        "more_descriptors": outcome(_more_descriptors),
        "raw_socket": outcome(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).fileno()),
        "packet_socket": outcome(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).fileno()),
        "vsock": outcome(lambda: socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM).fileno()),
        "netlink_audit": outcome(
            lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 9).fileno()
        ),
        "setuid_program": outcome(_setuid_program),
        "huge_pages": outcome(lambda: os.memfd_create("pages", os.MFD_HUGETLB)),
        "large_pipe": outcome(lambda: fcntl.fcntl(1, fcntl.F_SETPIPE_SZ, 1 << 20)),
    }


def _more_descriptors():
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, (100_000, 100_000))


def _setuid_program():
    for program in ("/usr/bin/su", "/usr/bin/sudo", "/bin/mount", "/usr/bin/passwd"):
        if os.path.exists(program):
            done = subprocess.run([program, "--version"], capture_output=True, timeout=10)
            status = subprocess.run(
                [program if program.endswith("mount") else "/usr/bin/id", "-u"],
                capture_output=True,
                timeout=10,
            )
            if status.stdout.strip() == b"0":
                return done.returncode
    raise PermissionError("no program gave root")


def op_ipc(event):
    """Make, or find, what has no place in the file system: memory, messages, semaphores, queues."""
    flags = 0o1666 if event["make"] else 0
    return {
        "memory": libc.shmget(event["key"], 4096, flags),
        "messages": libc.msgget(event["key"], flags),
        "semaphores": libc.semget(event["key"], 1, flags),
        "queue": libc.mq_open(b"/key%d" % event["key"], 0o102 if event["make"] else 0, 0o666, None),
    }


def op_ipc_and_crash(event):
    """Make them, a mark in /tmp too, and end without an answer."""
    write("/tmp/mark")
    op_ipc({"make": True, "key": event["key"]})
    os._exit(1)


def op_ipc_after(event):
    """Whether this is where that was, and what is left of them."""
    return {"marked": os.path.exists("/tmp/mark"), "left": op_ipc({"make": False, **event})}


def op_stop_itself(event):
    os.kill(os.getpid(), signal.SIGSTOP)


def op_tricks_with_files(event):
    """Links to what may not be read or written, and files with more than one's own rights."""
    place = OWN_TMP + "/program"
    with open(place, "w"):
        os.chmod(place, 0o6755)
    return {
        "hard_link": outcome(lambda: os.link("/var/task/lambda_function.py", OWN_TMP + "/hard")),
        "through_init": outcome(lambda: os.listdir(_linked("/proc/1/root"))),
        "through_code": outcome(lambda: write(_linked("/var/task/lambda_function.py"))),
        "give_to_root": outcome(lambda: os.chown(place, 0, 0)),
        "device": outcome(lambda: os.mknod(OWN_TMP + "/memory", 0o20666, os.makedev(1, 1))),
        "capability": outcome(lambda: os.setxattr(place, "security.capability", b"\1" * 20)),
    }


def _linked(target):
    link = "%s/link%d" % (OWN_TMP, time.monotonic_ns())
    os.symlink(target, link)
    return link


def op_identity(event):
    status = dict(
        line.rstrip("\n").split(":\t", 1) for line in open("/proc/self/status") if ":\t" in line
    )
    return {
        "uid": os.getuid(),
        "capabilities": [
            status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
        ],
        "no_new_privileges": status["NoNewPrivs"],
        "seccomp": status["Seccomp"],
        "namespaces": {n: os.readlink("/proc/self/ns/" + n) for n in os.listdir("/proc/self/ns")},
        "cgroup": open("/proc/self/cgroup").read(),
        "environment": dict(os.environ),
        "open": sorted(os.listdir("/proc/self/fd")),
    }


def op_network(event):
    tried = {}
    for host, port in event["targets"]:

        def connect(host=host, port=port):
            with socket.create_connection((host, port), timeout=1) as connected:
                connected.sendall(b"GET / HTTP/1.0\r\n\r\n")
                return connected.recv(100)

        tried["%s:%d" % (host, port)] = outcome(connect)
    names = outcome(lambda: sorted(n for _, n in socket.if_nameindex()))
    return {"tried": tried, "interfaces": names}


def op_abstract_sockets(event):
    tried = {}
    for line in open("/proc/net/unix").read().splitlines()[1:]:
        tried[line.split()[-1]] = line
    return tried


def op_forge(event):
    """Try to answer for others and for earlier requests."""
    base = "http://%s/2018-06-01/runtime/" % os.environ["AWS_LAMBDA_RUNTIME_API"]
    forged = json.dumps({"forged": True}).encode()
    print(json.dumps({"forged": "on standard output"}), flush=True)
    os.write(1, b'{"forged":"on descriptor 1"}\nHTTP/1.1 200 OK\r\n\r\n{"forged":1}\n')
    answers = {}
    for request_id in event["request_ids"]:
        for what in ("response", "error"):
            request = urllib.request.Request(
                base + "invocation/%s/%s" % (request_id, what), data=forged, method="POST"
            )
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    answers["%s/%s" % (request_id, what)] = answer.status
            except urllib.error.HTTPError as error:
                answers["%s/%s" % (request_id, what)] = error.code
    try:
        with urllib.request.urlopen(
            urllib.request.Request(base + "init/error", data=forged, method="POST"), timeout=10
        ) as answer:
            answers["init/error"] = answer.status
    except urllib.error.HTTPError as error:
        answers["init/error"] = error.code
    return answers


def op_fork_bomb(event):
    made = 0
    pids = []
    try:
        for _ in range(event["processes"]):
            pid = os.fork()
            if pid == 0:
                time.sleep(60)
                os._exit(0)
            pids.append(pid)
            made += 1
    except OSError as error:
        return {"made": made, "stopped": str(error)}
    finally:
        if not event.get("leave"):
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            for pid in pids:
                os.waitpid(pid, 0)
    return {"made": made, "stopped": ""}


def op_endless_fork_bomb(event):
    while True:
        try:
            os.fork()
        except OSError:
            pass


def op_fill_memory(event):
    kept = []
    while True:
        kept.append(bytearray(b"\1") * (1 << 20))


def op_fill_tmp(event):
    written = 0
    block = b"\0" * (1 << 20)
    with open("/tmp/full", "wb") as target:
        try:
            while written < event["megabytes"]:
                target.write(block)
                written += 1
        except OSError as error:
            return {"written": written, "stopped": str(error)}
    return {"written": written, "stopped": ""}


def op_fill_descriptors(event):
    kept = []
    try:
        for _ in range(5000):
            kept.append(os.open("/dev/null", os.O_RDONLY))
    except OSError as error:
        return {"opened": len(kept), "stopped": str(error)}
    finally:
        for descriptor in kept:
            os.close(descriptor)
    return {"opened": len(kept), "stopped": ""}


def op_daemon(event):
    """Leave a process behind that writes into /tmp and to the log, then run out of time."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            while True:
                with open(OWN_TMP + "/next", "w") as beat:
                    beat.write(str(time.time()))
                os.replace(OWN_TMP + "/next", OWN_TMP + "/beat")
                time.sleep(0.02)
        os._exit(0)
    time.sleep(60)


def op_beat(event):
    try:
        with open(OWN_TMP + "/beat") as beat:
            first = beat.read()
    except OSError:
        return {"first": "", "second": ""}
    time.sleep(0.2)
    with open(OWN_TMP + "/beat") as beat:
        return {"first": first, "second": beat.read()}


def op_limits(event):
    import resource

    return {"core": resource.getrlimit(resource.RLIMIT_CORE)}


def op_python(event):
    return {"path": sys.path, "modules": sorted(sys.modules), "executable": sys.executable}


def handler(event, context):
    operation = globals()["op_" + event["op"]]
    needs_context = operation.__code__.co_argcount > 1
    result = operation(event, context) if needs_context else operation(event)
    return {"request_id": context.aws_request_id, "result": result}
