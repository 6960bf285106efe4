"""Keeps the pages that a zygote shares with its sandboxes shared.

A page is copied as soon as one side writes to it, and Python writes to every object that it looks
at: it counts references. Objects whose counter has the value of an immortal one (PEP 683, Python
3.12 and later) are not counted. All that is there before the first fork becomes immortal: it would
live as long as the process anyway. What is made later is kept apart from it.
"""

import ctypes
import gc
import sys
import types

_IMMORTAL = 0xFFFFFFFF
_REFERENCES = 100
# Nearly all objects have more than 32 bytes; bytes objects, which fill the gaps, have.
_STEP, _SMALL_MIN, _SMALL_MAX = 16, 48, 512
_BLOCKS_MAX = 20_000
_POOL_BYTES, _POOL_HEADER_BYTES = 16_384, 48
_HEAP_LARGEST, _HEAP_SMALL_MAX = 65_536, 1_024
_HEAP_ALIGNMENT, _HEAP_HEADER_BYTES, _HEAP_CHUNK_MIN = 16, 8, 32
_HEAP_LARGEST_IN_ORDER = 3
_HEAP_LARGE_GAPS_MAX = 1_000
# So long that its own growth takes nothing from the pools that it is to fill.
_FILLINGS = [None] * 1_000
_CODE_PARTS = (
    "co_consts",
    "co_exceptiontable",
    "co_filename",
    "co_linetable",
    "co_name",
    "co_names",
    "co_qualname",
)

_libc = ctypes.PyDLL(None)
_libc.malloc.restype = ctypes.c_void_p
_libc.malloc.argtypes = [ctypes.c_size_t]
_libc.free.argtypes = [ctypes.c_void_p]


def keep_shared():
    """Call it last before the first fork: what is made later is counted as usual."""
    gc.collect()
    if _has_immortals():
        found = _reachable(gc.get_objects())
        _make_immortal(found)
        found.clear()
    _give_back_heap()
    if _has_immortals():
        _fill_gaps()
    _fill_heap()
    # Collections would touch, and so copy, every page.
    gc.freeze()
    gc.disable()


def _has_immortals():
    """Whether this is CPython of the kind whose counters have the form that is written here."""
    return (
        sys.implementation.name == "cpython"
        and sys.version_info >= (3, 12)
        and sys.maxsize > 2**32
        and sys.byteorder == "little"
        and getattr(sys, "_is_gil_enabled", lambda: True)()
        and ctypes.c_uint32.from_address(id(None)).value >= 0xC0000000
        and _counter_is_there()
    )


def _counter_is_there():
    """Whether the counter of an object is where it is written here, and is let be once it is.

    It is looked at before anything is written: a build for debugging has something else there.
    """
    probe = _Probe()
    counter = ctypes.c_uint32.from_address(id(probe))
    before = counter.value
    held = [probe] * _REFERENCES
    if counter.value - before != _REFERENCES:
        return False
    held.clear()
    counter.value = _IMMORTAL
    held = [probe] * _REFERENCES
    held.clear()
    return counter.value == _IMMORTAL


class _Probe:
    """Something that is referred to."""


def _reachable(objects):
    """These objects and all that they refer to, by their addresses."""
    found = {id(each): each for each in objects}
    unseen = list(found.values())
    while unseen:
        more = gc.get_referents(*unseen)
        for each in unseen:
            if isinstance(each, types.CodeType):
                more += [getattr(each, part) for part in _CODE_PARTS]
        unseen = []
        for each in more:
            if id(each) not in found:
                found[id(each)] = each
                unseen.append(each)
    return found


def _fill_gaps():
    """What a sandbox allocates shall lie on pages of its own, not between what is shared.

    Python's allocator fills the pools of a size before it begins another one, whose blocks it hands
    out in order. A pool that comes whole and in order is a new one: all that came before filled
    gaps.
    """
    for size in range(_SMALL_MIN, _SMALL_MAX + 1, _STEP):
        begin, whole = len(_FILLINGS), (_POOL_BYTES - _POOL_HEADER_BYTES) // size
        for _ in range(_BLOCKS_MAX):
            filling = _block(size)
            first = _first_of_pool(id(filling))
            if id(filling) == first:
                begin = len(_FILLINGS)
            elif id(filling) != first + (len(_FILLINGS) - begin) * size:
                begin = len(_FILLINGS) + 1
            _FILLINGS.append(filling)
            if len(_FILLINGS) - begin == whole:
                del _FILLINGS[begin:]
                break


def _first_of_pool(address):
    """Where the first block is of the pool that this address lies in."""
    return address // _POOL_BYTES * _POOL_BYTES + _POOL_HEADER_BYTES


def _give_back_heap():
    """What was only needed to get here: each fork would copy the tables of these pages."""
    trim = getattr(_libc, "malloc_trim", None)
    if trim is not None:
        trim(0)


def _fill_heap():
    """The same for the C library's heap: what is free outside of its fresh part is a gap.

    The fresh part is handed out from its beginning on, so only a block that lies between there and
    the end of what has been handed out so far is of it.
    """
    begin = _begin_of_fresh_heap()
    if begin is None:
        return
    end = begin + _heap_bytes(_HEAP_LARGEST)
    size = _HEAP_LARGEST // 2
    while size >= _STEP:
        for _ in range(_BLOCKS_MAX):
            block = _libc.malloc(size)
            if begin <= block <= end:
                end = max(end, block + _heap_bytes(size))
                _libc.free(block)
                break
        size = size // 2 if size > _HEAP_SMALL_MAX else size - _STEP
    _libc.free(begin)


def _begin_of_fresh_heap():
    """A block of the largest size with room for several more behind it, if there is any."""
    in_order = []
    for _ in range(_HEAP_LARGE_GAPS_MAX):
        block = _libc.malloc(_HEAP_LARGEST)
        if in_order and block != in_order[-1] + _heap_bytes(_HEAP_LARGEST):
            in_order.clear()
        in_order.append(block)
        if len(in_order) == _HEAP_LARGEST_IN_ORDER:
            for each in in_order[1:]:
                _libc.free(each)
            return in_order[0]
    return None


def _heap_bytes(size):
    """How far the next block lies behind one of so many bytes."""
    bytes_with_header = size + _HEAP_HEADER_BYTES + _HEAP_ALIGNMENT - 1
    return max(_HEAP_CHUNK_MIN, bytes_with_header // _HEAP_ALIGNMENT * _HEAP_ALIGNMENT)


def _block(size):
    """An object that takes so many bytes."""
    return bytes(size - sys.getsizeof(b""))


def _make_immortal(found):
    for address in found:
        ctypes.c_uint32.from_address(address).value = _IMMORTAL
