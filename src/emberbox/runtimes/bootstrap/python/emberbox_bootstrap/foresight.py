"""The pages that every runtime process writes to on its way to the handler, copied ahead of need.

A process that is forked shares its pages with the one that it was forked from until it writes to
them, and is stopped at each of them then. Which they will be is learned once, from a fork that does
all that a runtime does with a function that is nothing. Their content stays as it is: only that the
process has them to itself is different.
"""

import ctypes
import json
import os

from emberbox_bootstrap.page_map import PageMap, is_sole

_MADV_POPULATE_WRITE = 23
_READ = 65536
_PAGES_MAX = 2048
_PAGE = 4096

_libc = ctypes.PyDLL(None)
_libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def learn(fork, rehearse):
    """(start, bytes) of each run of pages that a fork of this process writes to as it rehearses.

    None at all if that cannot be known here.
    """
    writable = _writable()
    reading, writing = os.pipe()
    pid = fork()
    if pid == 0:
        try:
            os.close(reading)
            rehearse()
            _tell(writing, writable)
        except Exception:
            # Then nothing is copied ahead, and each process is stopped as before.
            pass
        finally:
            os._exit(0)
    os.close(writing)
    parts = []
    while True:
        part = os.read(reading, _READ)
        if not part:
            break
        parts.append(part)
    os.close(reading)
    os.waitpid(pid, 0)
    return tuple(tuple(run) for run in json.loads(b"".join(parts) or b"[]"))


def copy_ahead(runs):
    """Have these pages to oneself."""
    for start, size in runs:
        # Not every kernel can, and what is not copied now is copied when it is written to.
        _libc.madvise(start, size, _MADV_POPULATE_WRITE)


def _writable():
    """(start, end) of what this process has mapped for itself and may write to."""
    with open("/proc/self/maps") as lines:
        fields = [line.split(None, 2) for line in lines]
    return [
        [int(part, 16) for part in where.split("-")]
        for where, rights, _ in fields
        if rights.startswith("rw") and rights.endswith("p")
    ]


def _tell(writing, writable):
    pages = PageMap("self")
    runs = [
        (start, end - start) for place in writable for start, end in pages.runs(*place, is_sole)
    ]
    if sum(size for _, size in runs) <= _PAGES_MAX * _PAGE:
        data = json.dumps(runs).encode()
        while data:
            data = data[os.write(writing, data) :]
