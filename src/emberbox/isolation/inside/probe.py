"""Tries, in processes of its own, each kind of isolation that a sandbox needs, and leaves nothing.

Run by `emberbox.isolation.host`; its first argument is the seccomp program in hexadecimal. Prints
{"done": [step, ...]}, with {"failed": step, "error": text, "errno": n} if a step did not work.
"""

import json
import os
import sys
import tempfile

import linux
import netlink


def main():
    """Go through the steps in the order a sandbox is made, up to the first that fails."""
    reading, writing = os.pipe()
    done = []
    failure = _attempt(done, _outside())
    if failure is None:
        failure = _attempt(done, [("clone3", lambda: _fork(reading, writing))])
    os.close(writing)
    with os.fdopen(reading) as answers:
        said = answers.read()
    if said:
        inside = json.loads(said)
        done += inside["done"]
        failure = inside["failure"]
    print(json.dumps({"done": done, **(failure or {})}))


def _attempt(done, steps):
    for name, act in steps:
        try:
            act()
        except OSError as error:
            return {"failed": name, "error": str(error), "errno": error.errno or 0}
        done.append(name)
    return None


def _outside():
    uid, gid = os.getuid(), os.getgid()
    place = tempfile.gettempdir()
    return [
        ("user namespace", lambda: linux.unshare(linux.CLONE_NEWUSER | linux.CLONE_NEWNS)),
        ("user map", lambda: _map(uid, gid)),
        ("private mounts", lambda: linux.mount("none", "/", "", linux.MS_REC | linux.MS_PRIVATE)),
        ("tmpfs", lambda: linux.mount("probe", place, "tmpfs", linux.MS_NOSUID, "size=64k")),
        ("read-only bind", lambda: _bind(place)),
    ]


def _map(uid, gid):
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", "0 %d 1" % uid),
        ("gid_map", "0 %d 1" % gid),
    ):
        with open("/proc/self/" + name, "w") as out:
            out.write(text)


def _bind(place):
    os.mkdir(place + "/usr")
    linux.bind_read_only("/usr", place + "/usr")


def _fork(reading, writing):
    pid, pidfd = linux.fork_into(
        linux.CLONE_NEWPID
        | linux.CLONE_NEWNS
        | linux.CLONE_NEWIPC
        | linux.CLONE_NEWUTS
        | linux.CLONE_NEWNET
    )
    if pid == 0:
        os.close(reading)
        done = []
        failure = _attempt(done, _inside())
        os.write(writing, json.dumps({"done": done, "failure": failure}).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    os.close(pidfd)


def _inside():
    flags = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC
    program = bytes.fromhex(sys.argv[1])
    return [
        ("proc", lambda: linux.mount("proc", "/proc", "proc", flags | linux.MS_RDONLY)),
        ("network namespace", lambda: netlink.Netlink().ask(netlink.loopback_up())),
        ("no new privileges", linux.give_up_new_privileges),
        ("capabilities", linux.drop_capabilities),
        ("seccomp", lambda: linux.load_seccomp(program)),
    ]
