"""What the kernel says of a process's pages: which are there, its own, or nobody else's."""

import os

PAGE = 4096
_BLOCK = 65536
_PRESENT_OR_SWAPPED = 0b11 << 62
_PRESENT = 1 << 63
_OF_FILE = 1 << 61
_SOLE = 1 << 56


class PageMap:
    """/proc/<process>/pagemap."""

    def __init__(self, process):
        self._descriptor = os.open("/proc/%s/pagemap" % process, os.O_RDONLY)

    def close(self):
        os.close(self._descriptor)

    def runs(self, start, end, wanted):
        """(start, end) of each run of pages in a range whose word in the page map is wanted."""
        first, count = start // PAGE, (end - start) // PAGE
        begun = None
        for block in range(0, count, _BLOCK):
            size = min(_BLOCK, count - block)
            words = memoryview(os.pread(self._descriptor, 8 * size, 8 * (first + block))).cast("Q")
            for number, word in enumerate(words, first + block):
                if wanted(word):
                    if begun is None:
                        begun = number
                elif begun is not None:
                    yield begun * PAGE, number * PAGE
                    begun = None
        if begun is not None:
            yield begun * PAGE, end


def is_there(word):
    """It has content."""
    return word & _PRESENT_OR_SWAPPED


def is_own(word):
    """It has content that is not that of a file."""
    return word & _PRESENT_OR_SWAPPED and not word & _OF_FILE


def is_sole(word):
    """It is in memory, no other process has it, and it is not that of a file."""
    return word & _PRESENT and word & _SOLE and not word & _OF_FILE
