"""What runtime processes will write to is learned once, and is theirs before they do."""

import json
import subprocess
import sys

import pytest

from emberbox.runtimes.program import BOOTSTRAPS

PROGRAM = """
import ctypes, json, mmap, os, sys
sys.path.insert(0, sys.argv[1])
from emberbox_bootstrap import foresight
from emberbox_bootstrap.page_map import PAGE, PageMap, is_sole

memory = mmap.mmap(-1, 8 * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for n in range(8):
    memory[n * PAGE] = n
start = ctypes.addressof(ctypes.c_char.from_buffer(memory))

def rehearse():
    memory[3 * PAGE] = memory[4 * PAGE] = 99
    if sys.argv[2] == "fails":
        raise RuntimeError("the rehearsal has failed")

runs = foresight.learn(os.fork, rehearse)
learned = [n for n in range(8) if any(s <= start + n * PAGE < s + size for s, size in runs)]
reading, writing = os.pipe()
if os.fork() == 0:
    foresight.copy_ahead(runs)
    pages = PageMap("self").runs(start, start + 8 * PAGE, is_sole)
    own = [(a - start) // PAGE + n for a, b in pages for n in range((b - a) // PAGE)]
    content = [memory[n * PAGE] for n in range(8)]
    os.write(writing, json.dumps({"learned": learned, "own": own, "content": content}).encode())
    os._exit(0)
os.wait()
sys.stdout.buffer.write(os.read(reading, 65536))
"""


@pytest.mark.parametrize(("how", "expected"), [("works", [3, 4]), ("fails", [])])
def test_what_a_rehearsal_writes_to_is_copied_ahead_and_stays_as_it_is(how, expected):
    """Those pages and no others; none where the rehearsal fails."""
    ran = subprocess.run(
        [sys.executable, "-I", "-c", PROGRAM, str(BOOTSTRAPS / "python"), how],
        capture_output=True,
        check=True,
        timeout=60,
    )

    found = json.loads(ran.stdout)
    assert found["learned"] == expected
    assert found["own"] == expected
    assert found["content"] == list(range(8))
