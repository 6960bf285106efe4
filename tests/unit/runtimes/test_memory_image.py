"""An image of a process, and other processes that become it; without a sandbox."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

BOOTSTRAP = Path(__file__).parents[3] / "src/emberbox/runtimes/bootstrap/python"
ZYGOTE = """
    import json, os, sys
    sys.path.insert(0, sys.argv[1])
    from emberbox_bootstrap import carrying, memory_image

    image = os.memfd_create("image")
    os.dup2(image, memory_image.IMAGE_DESCRIPTOR)
    os.dup2(1, 3)  # what a sandbox has there

    def rehearse():
        pass

    def template():
        global rehearse
        beginning = memory_image.mappings(), carrying.signal_actions()
        {template}
        try:
            facts = carrying.look(beginning[1])
            facts["tmp"] = False
            text = memory_image.capture(
                memory_image.IMAGE_DESCRIPTOR, beginning[0], facts, rehearse
            )
        except memory_image.UnfitError as error:
            print("unfit:", error, flush=True)
            os._exit(3)
        if text is None:
            os._exit(0)
        told = json.loads(text)
        print(json.dumps({result}), flush=True)
        os._exit(0)

    def run(work):
        pid = os.fork()
        if pid == 0:
            try:
                work()
            finally:
                os._exit(9)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if status:
            sys.exit(status)

    def resumed(n):
        carrying.take_up(memory_image.read_facts())
        memory_image.resume(json.dumps(n).encode())

    run(template)
    for n in range(2):
        run(lambda: resumed(n))
"""
REHEARSED = """
    import ctypes
    from emberbox_bootstrap.page_map import PageMap, is_own

    parts = [memory_image._map(0, 1 << 20, 3, 0x22) for _ in range(3)]
    for part in parts:
        ctypes.memset(part, 1, 1 << 20)

    def rehearse():
        ctypes.memset(parts[1], 2, 1 << 20)

    def own(part):
        runs = PageMap("self").runs(part, part + (1 << 20), is_own)
        return sum(stop - start for start, stop in runs)
"""


def run(template, result="told"):
    """What processes print that take up the image of one which has run the statements."""
    code = textwrap.dedent(ZYGOTE).replace("{template}", template).replace("{result}", result)
    done = subprocess.run(
        [sys.executable, "-c", code, str(BOOTSTRAP)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout.splitlines(), done.stderr


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="snapshots are for x86-64")
@pytest.mark.parametrize(
    ("template", "result", "wanted"),
    [
        ("", "told", None),
        ("kept = list(range(100_000))", "sum(kept)", 4_999_950_000),
        ("kept = [bytearray(100) for _ in range(50_000)]", "len(kept) + len(kept[-1])", 50_100),
        ("kept = bytes(5 << 20) + b'x'", "kept[-1]", 120),
        ("import decimal; kept = decimal.Decimal(2) ** 70", "str(kept / 2)", str(2**69)),
        ("import ssl; kept = ssl.create_default_context()", "kept.check_hostname", True),
        ("import sqlite3; kept = sqlite3.connect(':memory:')",
         "kept.execute('SELECT 1 + 1').fetchone()", [2]),
        ("kept = open('/etc/passwd'); kept.seek(3)", "[kept.fileno(), kept.tell()]", [4, 3]),
        ("import signal; signal.signal(signal.SIGUSR2, lambda *_: told)",
         "signal.getsignal(signal.SIGUSR2) is not None", True),
        ("import faulthandler; faulthandler.enable()", "faulthandler.is_enabled()", True),
    ],
)  # fmt: skip
def test_what_was_there_is_there_again(template, result, wanted):
    """In each process that takes up the image, and the words of its own are heard."""
    status, printed, errors = run(template, result)

    assert (status, errors) == (0, "")
    found = [json.loads(line) for line in printed]
    if wanted is None:
        assert found == [0, 1]
    else:
        assert found == [wanted, wanted]


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()",
         "it has 2 threads"),
        ("kept = os.pipe()", "it has pipe:"),
        ("import mmap; kept = mmap.mmap(-1, 4096)", "it shares memory"),
        ("import socket; kept = socket.socketpair()", "it has a socket of family AF_UNIX"),
        ("import signal; signal.alarm(60)", "it has an alarm set"),
    ],
)  # fmt: skip
def test_what_cannot_be_carried_is_named(template, reason):
    """And no image is made."""
    status, printed, _ = run(template)

    assert (status, len(printed)) == (3, 1)
    assert printed[0].startswith(f"unfit: {reason}")


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="snapshots are for x86-64")
def test_what_a_rehearsal_writes_to_is_copied_ahead_of_need():
    """And nothing else of the image; what it writes is in no image."""
    status, printed, errors = run(
        textwrap.indent(textwrap.dedent(REHEARSED), "    ").strip(),
        "[[own(part) for part in parts], ctypes.string_at(parts[1], 1)[0]]",
    )

    assert (status, errors) == (0, "")
    assert [json.loads(line) for line in printed] == [[[0, 1 << 20, 0], 1]] * 2
