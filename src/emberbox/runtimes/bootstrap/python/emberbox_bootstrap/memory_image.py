"""The memory of a process as an image, and a process that takes up such an image as its own.

Both ends are forks of one zygote, so what the zygote had mapped is mapped alike in both. `capture`
forks a child that stands still inside a few machine instructions while its parent writes down what
has been mapped and written since: the image, a file in memory. `resume` replays it in a fresh
process: a list of system calls that maps the image privately (copy on write) and the libraries from
their files, run by a few more instructions that stand outside of what they replace, and a jump to
where the child stood.

Nothing here needs any power over another process, and whoever takes up an image trusts it with no
more than its own life: it has been confined before.

    image   page 0      header: lengths, places, and a JSON text of what is not memory
            then        pages of memory
            then        the script: machine code, system calls, strings
"""

import ctypes
import json
import os
import struct
import threading

from emberbox_bootstrap.page_map import PAGE as _PAGE
from emberbox_bootstrap.page_map import PageMap, is_own, is_sole, is_there

_PLACE = 0x2000_0000_0000
"""Where the script is put while it runs: between the program and its libraries, free in both."""
_SLOT = 2048
_TOP = 0x7FFF_FFFF_F000
_BOTTOM = 0x1_0000
IMAGE_DESCRIPTOR = 1000
EXIT_BROKEN = 112
"""How a process ends that cannot take up an image."""
_MAGIC = b"EMBSNAP1"
_HEADER = struct.Struct("<8s5Q")
_CALL = struct.Struct("<8Q")
_SLOTS = struct.Struct("<3Q")
_END = (1 << 64) - 1
_SAVED_BYTES = 128
_CHUNK = 1 << 20
_IMAGE_MAX = 1 << 36
_THREAD_WORDS = 512
_OF_THE_SCRIPT = ("actions", "mask", "stack")

# save(saved, write_to, read_from): writes down the registers a caller relies on, tells, and waits
# for a reading that never comes. The words of it, in order: mov [rdi+8n], rbx rbp r12-r15; the
# caller's rsp and rip; stmxcsr, fnstcw; write(write_to, saved, 1); read(read_from, saved, 1);
# exit_group(0).
_SAVE = bytes.fromhex(
    "48891f48896f084c8967104c896f184c8977204c897f28488d4424084889473048"
    "8b0424488947380fae5f40d97f444189d44989fd89f74c89eeba01000000b80100"
    "00000f054489e74c89eeba0100000031c00f0531ffb8e70000000f05"
)
# replay(calls, saved): for each line of eight words: load rax, rdi, rsi, rdx, r10, r8, r9; syscall;
# leave with exit_group(112) unless it gives the eighth. A line that begins with -1 ends the list:
# load the registers of `saved` and return 1 from the call of `save`.
_REPLAY = bytes.fromhex(
    "4989fc4989f5498b04244883f8ff742d498b7c2408498b742410498b5424184d8b"
    "5424204d8b4424284d8b4c24300f05493b44243875364983c440ebc9410fae5540"
    "41d96d44498b5d00498b6d084d8b75204d8b7d28498b6530498b4d384d8b65104d"
    "8b6d18b801000000ffe1bf70000000b8e70000000f05"
)
_NR_OPEN, _NR_CLOSE, _NR_MMAP, _NR_MUNMAP, _NR_BRK = 2, 3, 9, 11, 12
_NR_SIGACTION, _NR_SIGPROCMASK, _NR_PREAD, _NR_MADVISE, _NR_SIGALTSTACK = 13, 14, 17, 28, 131

_MAP_SHARED, _MAP_PRIVATE, _MAP_FIXED, _MAP_ANONYMOUS, _MAP_NORESERVE = 1, 2, 0x10, 0x20, 0x4000
_MAP_FIXED_NOREPLACE = 0x100000
_KEPT = ("[vdso]", "[vvar]", "[vvar_vclock]", "[vsyscall]")
_SIG_SETMASK = 2
_MADV_POPULATE_WRITE = 23

_libc = ctypes.PyDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_libc.sbrk.restype = ctypes.c_void_p
_libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


class UnfitError(Exception):
    """This process cannot be made an image of; the text says why."""


class Mapping:
    """One line of /proc/<pid>/maps."""

    __slots__ = ("device", "end", "inode", "offset", "path", "rights", "start")

    def __init__(self, line):
        fields = line.split(None, 5)
        self.start, self.end = (int(part, 16) for part in fields[0].split("-"))
        self.rights = fields[1]
        self.offset = int(fields[2], 16)
        self.device, self.inode = fields[3], int(fields[4])
        self.path = fields[5].rstrip("\n") if len(fields) > 5 else ""

    @property
    def key(self):
        return (self.start, self.end, self.rights, self.offset, self.device, self.inode)

    @property
    def protection(self):
        return sum(bit for bit, letter in ((1, "r"), (2, "w"), (4, "x")) if letter in self.rights)


def mappings(process="self"):
    """What a process has mapped."""
    with open("/proc/%s/maps" % process) as lines:
        return [Mapping(line) for line in lines]


def capture(descriptor, baseline, facts, rehearse):
    """Write an image of this process to a file: None when done, a text in whoever resumes it.

    `baseline` is what `mappings` said before anything ran that a fresh fork of the zygote would not
    have run; `facts` is what `carrying.look` found. `rehearse` does what whoever resumes will do
    first, none of which is in the image: the pages that it writes to are copied there at once,
    which costs less than to be stopped at each. UnfitError if no image can be made.
    """
    if os.uname().machine != "x86_64":
        raise UnfitError("snapshots are made on x86-64 processors only")
    code = _map(0, _PAGE, 7, _MAP_PRIVATE | _MAP_ANONYMOUS)
    saved = code + _PAGE // 2
    ctypes.memmove(code, _SAVE, len(_SAVE))
    save = ctypes.PYFUNCTYPE(ctypes.c_long, ctypes.c_ulong, ctypes.c_int, ctypes.c_int)(code)
    told, telling = os.pipe()
    waiting, kept = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(kept)
        remembered = _remembered_thread_id()
        save(saved, telling, waiting)
        # Not the child comes here, but each process that takes up its image.
        if remembered is not None:
            remembered.value = threading.get_native_id()
        _libc.munmap(code, _PAGE)
        return _text_of_launch()
    try:
        os.close(telling)
        os.close(waiting)
        if not os.read(told, 1):
            raise UnfitError("its fork has ended")
        rehearse()
        _write_image(descriptor, child, baseline, saved, facts, _written_since_fork())
    finally:
        os.close(kept)
        os.close(told)
        os.waitpid(child, 0)
        _libc.munmap(code, _PAGE)
    return None


def _remembered_thread_id():
    """Where glibc keeps the id of this thread; None if that cannot be told."""
    here = threading.get_ident()
    words = (ctypes.c_int * _THREAD_WORDS).from_address(here)
    found = [n for n, word in enumerate(words) if word == threading.get_native_id()]
    return ctypes.c_int.from_address(here + 4 * found[0]) if len(found) == 1 else None


def _text_of_launch():
    at, length, whole = _SLOTS.unpack(ctypes.string_at(_PLACE + _SLOT, _SLOTS.size))
    text = ctypes.string_at(at, length)
    _libc.munmap(_PLACE, whole)
    os.close(IMAGE_DESCRIPTOR)
    return text


def read_facts():
    """The facts that `capture` was given."""
    magic, *_, length = _HEADER.unpack(os.pread(IMAGE_DESCRIPTOR, _HEADER.size, 0))
    if magic != _MAGIC:
        raise UnfitError("this is no image")
    return json.loads(os.pread(IMAGE_DESCRIPTOR, length, _HEADER.size))


def resume(text):
    """Become the process of the image at IMAGE_DESCRIPTOR; `capture` gives the text there.

    Does not return. The descriptors have to be those of the facts.
    """
    header = os.pread(IMAGE_DESCRIPTOR, _HEADER.size, 0)
    _, at, length, calls, saved, _ = _HEADER.unpack(header)
    whole = _rounded(length + len(text))
    _map(_PLACE, whole, 7, _MAP_PRIVATE | _MAP_ANONYMOUS | _MAP_FIXED_NOREPLACE)
    os.preadv(IMAGE_DESCRIPTOR, [(ctypes.c_char * length).from_address(_PLACE)], at)
    ctypes.memmove(_PLACE + length, text, len(text))
    ctypes.memmove(_PLACE + _SLOT, _SLOTS.pack(_PLACE + length, len(text), whole), _SLOTS.size)
    ctypes.PYFUNCTYPE(ctypes.c_long, ctypes.c_ulong, ctypes.c_ulong)(_PLACE)(calls, saved)


def _map(address, length, protection, flags):
    found = _libc.mmap(address, length, protection, flags, -1, 0)
    if found in (None, _END) or (address and found != address):
        raise OSError(ctypes.get_errno(), "mmap")
    return found


def _rounded(size):
    return -(-size // _PAGE) * _PAGE


class _Script:
    """The list of system calls, and the strings they point at."""

    def __init__(self, free_descriptor):
        self.calls = []
        self.strings = bytearray()
        self._free = free_descriptor
        self._writable = []

    def call(self, number, *arguments, gives=0):
        self.calls.append((number, *arguments, *(0,) * (6 - len(arguments)), gives))

    def string(self, data):
        """Keep the data; stands for its address until the script is laid out."""
        at = len(self.strings)
        self.strings += data + bytes(-len(data) % 8)
        return _Place(at)

    def map_image(self, mapping, start, end, offset):
        if "w" in mapping.rights:
            self._writable.append((start, end))
        self.call(
            _NR_MMAP, start, end - start, mapping.protection, _MAP_PRIVATE | _MAP_FIXED,
            IMAGE_DESCRIPTOR, offset, gives=start,
        )  # fmt: skip

    def copy_at_once(self, start, end):
        """As much of this as is of the image."""
        for begin, stop in self._writable:
            if start < stop and begin < end:
                at = max(start, begin)
                self.call(_NR_MADVISE, at, min(end, stop) - at, _MADV_POPULATE_WRITE)

    def map_nothing(self, mapping):
        flags = _MAP_PRIVATE | _MAP_FIXED | _MAP_ANONYMOUS | _MAP_NORESERVE
        self.call(
            _NR_MMAP, mapping.start, mapping.end - mapping.start, mapping.protection, flags, _END,
            0, gives=mapping.start,
        )  # fmt: skip

    def open(self, path):
        self.call(_NR_OPEN, self.string(os.fsencode(path) + b"\0"), os.O_RDONLY, gives=self._free)

    def close(self):
        self.call(_NR_CLOSE, self._free)

    def map_file(self, mapping):
        shared = _MAP_SHARED if "s" in mapping.rights else _MAP_PRIVATE
        self.call(
            _NR_MMAP, mapping.start, mapping.end - mapping.start, mapping.protection,
            shared | _MAP_FIXED, self._free, mapping.offset, gives=mapping.start,
        )  # fmt: skip

    def laid_out(self):
        """The bytes to be put at _PLACE, and the address of the list in them."""
        calls = _PLACE + _PAGE
        strings = calls + _CALL.size * (len(self.calls) + 1)
        lines = [
            _CALL.pack(*(strings + w.at if isinstance(w, _Place) else w for w in line))
            for line in self.calls
        ]
        lines.append(_CALL.pack(_END, *(0,) * 7))
        return b"".join([_REPLAY.ljust(_PAGE, b"\0"), *lines, bytes(self.strings)]), calls


class _Place:
    __slots__ = ("at",)

    def __init__(self, at):
        self.at = at


class _Pages:
    """The part of the image that holds memory."""

    def __init__(self, descriptor, process):
        self._descriptor = descriptor
        self._memory = os.open("/proc/%d/mem" % process, os.O_RDONLY)
        self.map = PageMap(process)
        self._buffer = memoryview(bytearray(_CHUNK))
        self.end = 4 * _PAGE
        self.stored = 0

    def close(self):
        os.close(self._memory)
        self.map.close()

    def reserve(self, length):
        """Room for that much; its offset in the image."""
        at = self.end
        self.end += length
        if self.end > _IMAGE_MAX:
            raise UnfitError("it maps more memory than an image can hold")
        return at

    def store(self, start, end, offset):
        """Copy memory into the image."""
        while start < end:
            size = min(end - start, _CHUNK)
            got = os.preadv(self._memory, [self._buffer[:size]], start)
            if got <= 0:
                raise UnfitError("its memory at %#x cannot be read" % start)
            os.pwrite(self._descriptor, self._buffer[:got], offset)
            start, offset = start + got, offset + got
            self.stored += got


def _written_since_fork():
    """(start, end) of what this process has written to since it forked, as far as it could share;
    nothing where the kernel cannot copy pages before they are written."""
    found = []
    pages = PageMap("self")
    for mapping in mappings():
        if mapping.rights.startswith("rw-p") and mapping.path != "[stack]":
            found += pages.runs(mapping.start, mapping.end, is_sole)
    pages.close()
    if found and _libc.madvise(found[0][0], _PAGE, _MADV_POPULATE_WRITE):
        return []
    return found


def _write_image(descriptor, process, baseline, saved, facts, soon_written):
    script = _Script(facts["free"])
    pages = _Pages(descriptor, process)
    try:
        script.call(_NR_SIGPROCMASK, _SIG_SETMASK, script.string(b"\xff" * 8), 0, 8)
        found = [m for m in mappings(process) if m.start < _TOP]
        _unmap_between(script, found)
        program_break = _libc.sbrk(0)
        script.call(_NR_BRK, program_break, gives=program_break)
        known = {m.key for m in baseline}
        opened = None
        for mapping in found:
            if mapping.path in _KEPT:
                continue
            opened = _add(script, pages, mapping, known, opened)
        if opened is not None:
            script.close()
        for start, end in soon_written:
            script.copy_at_once(start, end)
        for number, action in facts["actions"]:
            script.call(_NR_SIGACTION, number, script.string(action), 0, 8)
        if facts["stack"]:
            script.call(_NR_SIGALTSTACK, script.string(facts["stack"]), 0)
        script.call(_NR_SIGPROCMASK, _SIG_SETMASK, script.string(facts["mask"]), 0, 8)
    finally:
        pages.close()
    data, calls = script.laid_out()
    at = _rounded(pages.end)
    os.pwrite(descriptor, data, at)
    text = json.dumps({k: v for k, v in facts.items() if k not in _OF_THE_SCRIPT}).encode()
    if len(text) > 3 * _PAGE:
        raise UnfitError("too many files are open")
    os.pwrite(descriptor, _HEADER.pack(_MAGIC, at, len(data), calls, saved, len(text)) + text, 0)
    return pages.stored


def _unmap_between(script, found):
    position = _BOTTOM
    for mapping in found:
        if mapping.start > position:
            if position <= _PLACE < mapping.start:
                script.call(_NR_MUNMAP, position, _PLACE - position)
                position = _PLACE + (1 << 30)
            script.call(_NR_MUNMAP, position, mapping.start - position)
        position = max(position, mapping.end)
    if position < _TOP:
        script.call(_NR_MUNMAP, position, _TOP - position)


def _add(script, pages, mapping, known, opened):
    """Let the script make one mapping; the path of the file it has open then."""
    if mapping.path == "[stack]":
        _copy(script, pages, mapping)
        return opened
    is_inherited = mapping.inode and mapping.key in known
    if is_inherited and "w" not in mapping.rights:
        return opened
    is_of_file = mapping.inode and not is_inherited and _is_file(mapping)
    if "s" in mapping.rights and ("w" in mapping.rights or not is_of_file):
        raise UnfitError("it shares memory: %s" % (mapping.path or "without a name"))
    if not mapping.protection and not mapping.inode:
        script.map_nothing(mapping)
        return opened
    if is_of_file:
        whole = [(mapping.start, mapping.end)]
        own = list(pages.map.runs(*whole[0], is_own)) if "p" in mapping.rights else []
        if own != whole:
            if opened != mapping.path:
                if opened is not None:
                    script.close()
                script.open(mapping.path)
                opened = mapping.path
            script.map_file(mapping)
        _lay_over(script, pages, mapping, own)
        return opened
    _map_from_image(script, pages, mapping)
    return opened


def _copy(script, pages, mapping):
    """The stack stays what it is to the kernel: its pages are read into it."""
    for start, end in pages.map.runs(mapping.start, mapping.end, is_there):
        at = pages.reserve(end - start)
        pages.store(start, end, at)
        script.call(_NR_PREAD, IMAGE_DESCRIPTOR, start, end - start, at, gives=end - start)


def _lay_over(script, pages, mapping, own):
    """What was written to a private mapping of a file covers the file."""
    for start, end in own:
        at = pages.reserve(end - start)
        pages.store(start, end, at)
        script.map_image(mapping, start, end, at)


def _map_from_image(script, pages, mapping):
    start, end = mapping.start, mapping.end
    at = pages.reserve(end - start)
    if mapping.inode:
        pages.store(start, end, at)
    else:
        for begin, stop in pages.map.runs(mapping.start, mapping.end, is_there):
            pages.store(begin, stop, at + begin - start)
    script.map_image(mapping, start, end, at)


def _is_file(mapping):
    try:
        found = os.stat(mapping.path)
    except OSError:
        return False
    device = "%02x:%02x" % (os.major(found.st_dev), os.minor(found.st_dev))
    return (found.st_ino, device) == (mapping.inode, mapping.device)
