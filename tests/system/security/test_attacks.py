"""Hostile functions against their neighbours and the server: every attempt must fail.

Each test is one promise of docs/explanation/isolation.md.
"""

import ctypes
import json
import os
import re
import socket
import threading
import time
import uuid
from pathlib import Path

import pytest
from hands import ApiError
from hostile import SOURCE
from material import await_rest, make_zip

INSIDE = Path(__file__).parents[3] / "src" / "emberbox" / "isolation" / "inside"


def own_addresses():
    """This host's addresses, without the loopback's."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("198.51.100.1", 1))
        return [probe.getsockname()[0]]


def refused(results):
    """All attempts were refused; shows those that were not."""
    return {name: text for name, text in results.items() if not text.startswith("NO ")}


def test_another_functions_secrets_cannot_be_found(attack, alive):
    """Neither code nor /tmp of another function is to be seen anywhere."""
    found = attack("find", marker="victim-secret")

    assert found["found"] == []
    assert found["seen"] > 10


def test_only_the_sandboxs_own_processes_are_seen(attack, alive, boto, victim):
    """No process of the host or of another function is visible, and init gives nothing away."""
    beside = threading.Thread(target=boto.invoke, args=(victim, b'{"sleep": 1}'))
    beside.start()

    seen = attack("processes", marker="victim-secret")
    beside.join()

    assert len(seen["pids"]) <= 3
    assert seen["leaks"] == []
    for name in ("init_environ", "init_memory", "init_root", "init_descriptors"):
        assert seen[name].startswith("NO "), seen[name]


def test_the_servers_files_are_not_there(attack, alive, server):
    """The data directory, home directories, shadow and disks cannot be read."""
    data = str(server.log.parent / "data")

    results = attack(
        "read",
        paths=["/etc/shadow", "/root/.bashrc", data + "/state.db", data + "/secret", "/dev/sda",
               "/dev/vda", "/dev/mem", "/proc/kcore", "/proc/1/environ", str(server.log)],
    )  # fmt: skip

    assert refused(results) == {}


def test_nothing_of_the_server_is_listed(attack, alive, server):
    """The places where a server keeps its things are absent or empty, and so is the code store."""
    listed = attack("list", paths=[str(server.log.parent), "/root", "/home", "/.emberbox", "/opt"])

    assert listed["/.emberbox"] == "OK []"
    assert listed["/opt"] == "OK []"
    assert listed[str(server.log.parent)].startswith("NO ")
    # An interpreter in a home directory is shown, and nothing else of that directory.
    only_interpreters = {"OK ['.pyenv']", "OK ['.local']"}
    assert all(
        listed[p].startswith("NO ") or listed[p] in only_interpreters for p in ("/root", "/home")
    )


def test_nothing_can_be_written_but_tmp(attack, alive):
    """Code, libraries, the runtime and the system are read-only."""
    results = attack(
        "write",
        paths=["/x", "/var/task/x", "/var/task/lambda_function.py", "/opt/x", "/etc/passwd",
               "/usr/x", "/var/runtime/x", "/var/lang/bin/x", "/proc/sys/kernel/hostname",
               "/.emberbox/x", "/proc/self/oom_score_adj", "/dev/x", "/run/x"],
    )  # fmt: skip
    mine = f"/tmp/{uuid.uuid4().hex}"
    own = attack("write", paths=[mine])

    assert refused(results) == {}
    assert own[mine].startswith("OK ")


def test_dangerous_system_calls_are_refused(attack, alive, server):
    """Tracing, mounting, namespaces, modules, keys, raw sockets, root: all refused."""
    found = refused(attack("system_calls"))

    if server.kind == "user":
        # Its sandboxes are that user outside, and 0 inside: to become 0 there gains nothing.
        found = {name: said for name, said in found.items() if not name.startswith("setuid")}
    assert found == {}


def test_tricks_with_files_give_nothing(attack, alive, server):
    """Links lead nowhere new, and no file gets more rights than its maker has."""
    found = refused(attack("tricks_with_files"))

    if server.kind == "user":
        # Its sandboxes are 0 inside.
        found.pop("give_to_root", None)
    assert found == {}


def test_shared_memory_and_queues_are_the_sandboxs_own(attack, alive):
    """What one function makes without a place in the file system another does not find."""
    key = uuid.uuid4().int & 0x7FFFFFF
    made = attack("ipc", who="maker", make=True, key=key)
    found = attack("ipc", who="seeker", make=False, key=key)
    remade = attack("ipc", who="maker", make=False, key=key)

    assert min(made.values()) >= 0
    assert set(found.values()) == {-1}
    assert remade["memory"] == made["memory"]


def test_no_shared_memory_or_queue_reaches_beyond_a_sandbox(attack, alive, server):
    """Each has its own, or, where all would have the host's, nobody may make any."""
    key = uuid.uuid4().int & 0x7FFFFFF
    made = attack("ipc", who="maker", make=True, key=key)
    found = attack("ipc", who="seeker", make=False, key=key)

    assert set(made.values()) == {-1} or server.kind in {"root", "user"}
    assert set(found.values()) == {-1}


def test_shared_memory_and_queues_go_with_their_process(attack, alive, server):
    """After a crash the next process finds what is in /tmp, and nothing of the kernel's."""
    key = uuid.uuid4().int & 0x7FFFFFF
    attack("ipc_and_crash", who="crasher", key=key, fails=True)
    # While its environment is reset another would answer, which has a /tmp of its own.
    await_rest(server.url, attack.names[512, 30, "crasher"])

    found = attack("ipc_after", who="crasher", key=key)

    assert found["marked"]
    assert set(found["left"].values()) == {-1}


def test_a_process_that_stops_itself_ends_at_the_time_limit(attack, alive):
    """And the next invocation has another."""
    failure = attack("stop_itself", timeout=3, fails=True)

    assert failure["errorType"] == "Sandbox.Timedout"
    assert attack("limits", timeout=3)["core"] == [1, 1]


def test_the_process_has_nothing_to_lose(attack, alive, server):
    """No capability, no new privileges, a filter, own namespaces, no root, no descriptors."""
    found = attack("identity")

    assert found["uid"] != 0 or server.kind == "user"
    assert set(found["capabilities"]) == {"0" * 16}
    assert (found["no_new_privileges"], found["seccomp"]) == ("1", "2")
    kinds = () if "without" in server.kind else ("mnt", "pid", "net", "ipc", "uts", "user")
    for name in kinds:
        assert found["namespaces"][name] != str(Path(f"/proc/self/ns/{name}").readlink())
    hidden = all(line.endswith("/") for line in found["cgroup"].split())
    assert hidden or "without" in server.kind
    # Standard streams, the log channel, the Runtime API, and the directory being listed.
    assert len(found["open"]) <= 6
    assert not any("EMBERBOX" in name for name in found["environment"])


def test_the_servers_environment_does_not_leak(attack, alive, server):
    """A secret in the server's environment is in no variable of the function."""
    theirs = Path(f"/proc/{server.pid}/environ").read_bytes().split(b"\0")
    names = {v.partition(b"=")[0].decode() for v in theirs if v}

    found = attack("identity")["environment"]

    common = {
        n
        for n in names & set(found)
        if n
        not in {
            "PATH",
            "LANG",
            "LC_CTYPE",
            "TZ",
            "PWD",
            "SHLVL",
            "LD_LIBRARY_PATH",
            "PYTHONPATH",
            "TMPDIR",
        }
    }
    assert common == set()


def test_the_network_is_the_sandboxs_own(attack, alive, server):
    """Neither the server, nor any service of the host, nor a cloud's metadata can be reached."""
    port = int(server.url.rsplit(":", 1)[1])

    found = attack(
        "network",
        targets=[
            ["127.0.0.1", port],
            ["127.0.0.1", 22],
            *[[address, port] for address in own_addresses()],
            ["169.254.169.254", 80],
            ["169.254.170.2", 80],
        ],
    )

    assert refused(found["tried"]) == {}
    # Without namespaces other links are seen, but nothing is reached by them.
    assert found["interfaces"] in {"OK ['lo']", "OK ['eth0', 'lo']"} or "without" in server.kind


def test_no_abstract_socket_of_the_host_is_seen(attack, alive):
    """Abstract Unix sockets are the sandbox's own."""
    names = [name for name in attack("abstract_sockets") if name.startswith("@")]

    assert all(name.startswith("@emberbox-runtime-api") for name in names)


def test_answers_cannot_be_forged(boto, make_function, alive):
    """Stale and foreign request ids are refused; output on descriptor 1 is only ever log."""
    source = {
        "Handler": "lambda_function.handler",
        "Timeout": 60,
        "Code": {"ZipFile": make_zip(lambda_function=SOURCE)},
    }
    name = make_function(SOURCE, **source)
    stale = boto.invoke(name, b'{"op": "beat"}').json()["request_id"]
    foreign = "00000000-0000-4000-8000-000000000000"

    event = {"op": "forge", "request_ids": [stale, foreign, "..", "%2e"]}
    answer = boto.invoke(name, json.dumps(event).encode(), LogType="Tail")

    result = answer.json()["result"]
    assert answer.error is None
    assert set(result.values()) <= {400, 403, 404}
    assert '{"forged":1}' in answer.log


def test_a_forged_answer_reaches_only_the_own_invocation(boto, make_function, alive):
    """Code that answers its own invocation early decides its own answer, and nobody else's."""
    source = """
        import os, json, urllib.request
        def handler(event, context):
            base = "http://%s/2018-06-01/runtime/invocation/" % os.environ["AWS_LAMBDA_RUNTIME_API"]
            request = urllib.request.Request(
                base + context.aws_request_id + "/response", data=b'{"early": true}', method="POST")
            urllib.request.urlopen(request).read()
            return {"late": True}
    """
    name = make_function(source, Handler="lambda_function.handler")

    answers = [boto.invoke(name, b"{}") for _ in range(3)]

    assert all(a.json() == {"early": True} for a in answers)


def test_a_fork_bomb_is_bounded(attack, alive):
    """Processes are counted; the bound is hit, the function goes on, and so do others."""
    result = attack("fork_bomb", memory=3008, timeout=60, processes=3000)

    assert result["stopped"]
    assert result["made"] < 1100


def test_an_endless_fork_bomb_ends_with_the_time_out(attack, alive, boto, victim):
    """While a bomb goes off a neighbour answers, and after the time-out nothing of it is left."""
    answered = []

    def neighbour():
        answered.extend(boto.invoke(victim, b"{}").json() for _ in range(5))

    beside = threading.Thread(target=neighbour)
    beside.start()
    failure = attack("endless_fork_bomb", timeout=4, fails=True)
    beside.join()
    after = attack("processes", timeout=4, marker="x")

    assert failure["errorType"] == "Sandbox.Timedout"
    assert answered == [{"alive": True}] * 5
    assert len(after["pids"]) <= 3


def test_memory_beyond_the_limit_kills_only_the_greedy(attack, alive, boto):
    """The kernel ends the function that takes too much, and the report says why."""
    failure = attack("fill_memory", memory=256, fails=True)

    assert failure["errorType"] == "Runtime.ExitError"
    assert "signal: killed" in failure["errorMessage"]


def test_what_the_kernel_counts_by_user_is_not_used_up(attack, alive):
    """One function takes all it gets: the next gets its own, and so do the host's programs."""
    first = attack("take_what_is_counted_by_user", who="first")
    second = attack("take_what_is_counted_by_user", who="second")
    watching = ctypes.CDLL(None).inotify_init1(os.O_CLOEXEC)

    assert min(first.values()) > 0
    assert second == first
    assert watching >= 0
    os.close(watching)


def test_buffers_of_sockets_are_bounded(attack, alive):
    """What is sent and not read lies in the kernel: no more of it than a part of the memory."""
    held = attack("hold_in_sockets", memory=512, timeout=60, most=400 << 20)

    assert held < 200 << 20


def test_a_full_tmp_is_an_error_inside(attack, alive):
    """/tmp ends at its size with ENOSPC, not with the memory and not with the host's disk."""
    result = attack("fill_tmp", memory=2048, timeout=60, megabytes=700)

    assert "No space left" in result["stopped"]
    assert 480 <= result["written"] <= 530


def test_descriptors_end_at_the_limit(attack, alive):
    """1,024 descriptors, then EMFILE."""
    result = attack("fill_descriptors")

    assert "Too many open files" in result["stopped"]
    assert 1000 < result["opened"] < 1024


def test_a_daemon_does_not_survive_the_time_out(attack, alive, server):
    """A child that left its session and ignores signals is gone; /tmp is as it left it."""
    attack("daemon", memory=1769, timeout=3, fails=True)
    # While its environment is reset another would answer, which has a /tmp of its own.
    await_rest(server.url, attack.names[1769, 3, ""])

    beat = attack("beat", memory=1769, timeout=3)

    assert beat["first"]
    assert beat["first"] == beat["second"]


def test_a_flood_of_output_does_not_block_the_server(attack, alive, boto, victim):
    """While one function floods its log, another answers at once."""
    flood = threading.Thread(target=attack, args=("flood",), kwargs={"memory": 1769, "seconds": 2})
    flood.start()

    began = time.monotonic()
    answers = [boto.invoke(victim, b"{}").json() for _ in range(20)]
    took = time.monotonic() - began
    flood.join()

    assert answers == [{"alive": True}] * 20
    assert took < 20


def test_runtime_api_connections_are_bounded(attack, alive):
    """Hundreds of connections with unfinished bodies harm nobody."""
    result = attack("connections", memory=1769, count=300)

    assert result["made"] <= 300


def test_connections_to_the_endpoint_are_bounded(attack, alive, server, boto, victim):
    """A function cannot use up the server's descriptors by connecting again and again."""
    before = len(list(Path(f"/proc/{server.pid}/fd").iterdir()))
    crowd = threading.Thread(
        target=attack,
        args=("door_connections",),
        kwargs={"memory": 1769, "processes": 4, "each": 500, "seconds": 2},
    )
    crowd.start()
    most = 0
    while crowd.is_alive():
        boto.invoke(victim, b"{}")
        most = max(most, len(list(Path(f"/proc/{server.pid}/fd").iterdir())))
    crowd.join()

    assert most - before < 400


def test_unfinished_answers_do_not_fill_the_server(attack, alive, server, boto, victim):
    """Sixty connections that each hold back the end of a 6 MB answer: one is kept, not sixty."""

    def resident():
        status = Path(f"/proc/{server.pid}/status").read_text("ascii")
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) >> 10

    most = before = resident()
    crowd = threading.Thread(
        target=attack,
        args=("early_answers",),
        kwargs={"memory": 1769, "count": 60, "seconds": 0.5},
    )
    crowd.start()
    while crowd.is_alive():
        boto.invoke(victim, b"{}")
        most = max(most, resident())

    assert most - before < 100


def test_the_hosts_boot_parameters_are_not_shown(attack, alive):
    """/proc/cmdline is there, and empty."""
    assert attack("read", paths=["/proc/cmdline"])["/proc/cmdline"] == "OK b''"


def test_a_crash_starts_nothing_on_the_host(attack, alive):
    """With a core limit of 1 the kernel neither writes a core nor runs the host's crash handler."""
    assert attack("limits")["core"] == [1, 1]


def test_the_runtime_leaves_no_names_behind(attack, alive, server):
    """A customer's modules cannot collide with ours, and the code store is not on the path."""
    found = attack("python")

    ours = {path.stem for path in INSIDE.glob("*.py")} | {"emberbox"}
    assert ours & set(found["modules"]) == set()
    assert found["path"][0] == "/var/task" or (
        server.kind not in {"root", "user"} and "/packages/trees/" in found["path"][0]
    )


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"Code": {"ZipFile": b"not a zip"}}, "InvalidParameterValueException"),
        ({"Role": "nonsense"}, "ValidationException"),
        ({"Runtime": "cobol85"}, "InvalidParameterValueException"),
        ({"Description": "x" * 300}, "ValidationException"),
    ],
)
def test_bad_functions_are_refused(boto, parameters, code):
    """What AWS refuses is refused with AWS's code."""
    whole = {
        "FunctionName": "refused",
        "Runtime": "python3.12",
        "Role": "arn:aws:iam::123456789012:role/r",
        "Handler": "f.h",
        "Code": {"ZipFile": make_zip(f="def h(e, c): pass")},
        **parameters,
    }

    with pytest.raises(ApiError) as caught:
        boto.call("lambda", "CreateFunction", **whole)

    assert caught.value.code == code
    assert re.search(r"\w", caught.value.message)
