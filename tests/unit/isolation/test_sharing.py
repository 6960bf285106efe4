"""What a zygote has before its first fork is not written to when a sandbox looks at it."""

import json
import subprocess
from pathlib import Path

import pytest

from emberbox import isolation
from emberbox.runtimes.python import discover

INSIDE = Path(isolation.__file__).parent / "inside"
INTERPRETERS = discover(Path.home())
PROGRAM = """
import ctypes, gc, json, sys
sys.path.insert(0, sys.argv[1])
import sharing

class Early:
    def method(self):
        return "a text of its own"

def counts(each):
    before = sys.getrefcount(each)
    held = [each] * 1000
    return sys.getrefcount(each) - before

code = Early.method.__code__
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
SIZES = (40, 600, 5000)

def heap_with_gaps():
    blocks = [libc.malloc(size) for size in SIZES * 1000]
    for block in blocks[::2]:
        libc.free(block)
    return set(blocks[::2])

def anonymous_kb():
    with open("/proc/self/smaps_rollup") as lines:
        return sum(int(line.split()[1]) for line in lines if line.startswith("Anonymous:"))

gaps = heap_with_gaps()
passing = [libc.malloc(20_000) for _ in range(1000)]
for block in passing:
    ctypes.memset(block, 1, 20_000)
gaps |= heap_with_gaps()
for block in passing:
    libc.free(block)

lengths = (100, 200, 400)
values = [bytes(length) for length in lengths * 1000]
value_gaps = {id(each) for each in values[::2]}
del values[::2]

before_kb = anonymous_kb()

early = [Early, Early(), Early.method, code, code.co_consts, code.co_consts[-1], {"k": []}, 10**30]
sharing.keep_shared()
print(json.dumps({
    "given_back_kb": before_kb - anonymous_kb(),
    "early": [counts(each) for each in early],
    "late": [counts(each) for each in (Early(), {"k": []}, int("7" * 40), "x" * len(sys.argv))],
    "in_gaps": sum(libc.malloc(size) in gaps for size in SIZES * 100),
    "values_in_gaps": sum(id(each) in value_gaps for each in [bytes(n) for n in lengths * 100]),
    "frozen": gc.get_freeze_count() > 1000 and not gc.isenabled(),
}))
"""


@pytest.mark.parametrize("version", INTERPRETERS, ids=lambda version: ".".join(map(str, version)))
def test_what_was_there_before_is_not_counted(version):
    """From Python 3.12 on, code, constants and all; what is made later is counted as ever.

    With all versions, it does not lie in gaps between what was there, and what is not used any more
    is given back. What Python itself frees after the gaps were filled can leave a few.
    """
    command = [INTERPRETERS[version].executable, "-I", "-c", PROGRAM, str(INSIDE)]

    told = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)

    assert told["frozen"]
    assert told["in_gaps"] <= 3, "of 300"
    assert told["given_back_kb"] > 10_000
    assert set(told["early"]) == ({0} if version >= (3, 12) else {1000})
    assert told["late"] == [1000] * 4
    assert version < (3, 12) or told["values_in_gaps"] <= 3, "of 300"
