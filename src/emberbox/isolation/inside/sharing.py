"""Keeps the pages that a zygote shares with its sandboxes shared.

A page is copied as soon as one side writes to it, and Python writes to every object that it looks
at: it counts references. Objects whose counter has the value of an immortal one (PEP 683, Python
3.12 and later) are not counted. All that is there before the first fork becomes immortal: it would
live as long as the process anyway.
"""

import ctypes
import gc
import sys
import types

_IMMORTAL = 0xFFFFFFFF
_CODE_PARTS = (
    "co_consts",
    "co_exceptiontable",
    "co_filename",
    "co_linetable",
    "co_name",
    "co_names",
    "co_qualname",
)


def keep_shared():
    """Call it last before the first fork: what is made later is counted as usual."""
    gc.collect()
    if _has_immortals():
        _make_immortal(_reachable(gc.get_objects()))
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
    )


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


def _make_immortal(found):
    for address in found:
        ctypes.c_uint32.from_address(address).value = _IMMORTAL
