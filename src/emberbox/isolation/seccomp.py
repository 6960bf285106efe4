"""The seccomp filter of a sandbox, assembled from the allow list for this machine."""

import platform
import struct
from collections.abc import Iterable

from emberbox.errors import PlatformError
from emberbox.isolation.syscalls import ALLOWED

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_COLUMN = {"x86_64": 0, "aarch64": 1}
_X32_BIT = 0x4000_0000

_LOAD, _JEQ, _JGE, _JGT, _JSET, _AND, _RETURN = 0x20, 0x15, 0x35, 0x25, 0x45, 0x54, 0x06
_ALLOW = 0x7FFF_0000
_ERRNO = 0x0005_0000
_KILL = 0x8000_0000
_DONE, _EPERM, _ENOMEM, _EACCES, _ENOSYS, _EAFNOSUPPORT = 0, 1, 12, 13, 38, 97
_NUMBER_AT, _ARCH_AT, _ARGUMENT_AT = 0, 4, 16

_NAMESPACE_FLAGS = 0x7E02_0000 | 0x80
_UNAVAILABLE = {
    "clone3": (435, 435),
    "io_setup": (206, 0),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
}
_POINTLESS = {"sync": (162, 81), "syncfs": (306, 267)}
_FAMILIES = (1, 2, 10)
_NETLINK, _NETLINK_ROUTE = 16, 0
_STREAM, _TCP, _TYPE_MASK = 1, 6, 0xF
_FASTOPEN = 0x2000_0000
# Which argument of each has the flags.
_SENDERS = {"sendto": 3, "sendmsg": 2, "sendmmsg": 3}
_SET_PIPE_SIZE, _PIPE_MAX_BYTES = 1031, 65_536
_MMAP_FLAGS_AT, _MAP_HUGETLB, _MFD_HUGETLB, _SHM_HUGETLB = 3, 0x4_0000, 0x4, 0o4000
# Their names are the whole namespace's: who knows one may use what another has made.
_NAMED = ("msgget", "semget", "shmget", "mq_open")
_PERSONALITIES = (0, 0x8, 0x2_0000, 0x2_0008, 0xFFFF_FFFF)


def machine() -> str:
    """The architecture whose tables apply, or PlatformError."""
    name = platform.machine()
    if name not in _AUDIT_ARCH:
        raise PlatformError(f"no system call table for {name}: x86_64 and aarch64 are known")
    return name


def build_filter(architecture: str, *, datagrams: bool = True, own_ipc: bool = True) -> bytes:
    """The BPF program, 8 bytes an instruction, for `x86_64` or `aarch64`.

    Without `datagrams` the only sockets of the internet are those of TCP, and they cannot send
    before they connect: for sandboxes whose connections are limited by port. Without `own_ipc`
    there is no memory, semaphore or queue by a key: for those that share the host's.
    """
    column = _COLUMN[architecture]
    refused = () if own_ipc else _NAMED
    numbers = {name: both[column] for name, both in ALLOWED.items() if name not in refused}
    program = [
        _code(_LOAD, _ARCH_AT),
        _code(_JEQ, _AUDIT_ARCH[architecture], 1, 0),
        _code(_RETURN, _KILL),
        _code(_LOAD, _NUMBER_AT),
        _code(_JGE, _X32_BIT, 0, 1),
        _code(_RETURN, _ERRNO | _ENOSYS),
    ]
    for both in _UNAVAILABLE.values():
        program += [_code(_JEQ, both[column], 0, 1), _code(_RETURN, _ERRNO | _ENOSYS)]
    for both in _POINTLESS.values():
        program += [_code(_JEQ, both[column], 0, 1), _code(_RETURN, _ERRNO | _DONE)]
    program += _when(numbers["clone"], _no_namespaces())
    program += _when(numbers["socket"], _plain_sockets() if datagrams else _stream_sockets())
    if not datagrams:
        for name, argument in _SENDERS.items():
            program += _when(numbers[name], _no_early_data(argument))
    program += _when(numbers["personality"], _harmless_personality())
    program += _when(numbers["fcntl"], _pipes_of_usual_size())
    program += _when(numbers["mmap"], _no_huge_pages(_MMAP_FLAGS_AT, _MAP_HUGETLB))
    program += _when(numbers["memfd_create"], _no_huge_pages(1, _MFD_HUGETLB))
    program += _when(numbers.get("shmget"), _no_huge_pages(2, _SHM_HUGETLB))
    last = 0
    for first, last in ranges(n for n in numbers.values() if n is not None):
        program += [
            _code(_JGE, first, 1, 0),
            _code(_RETURN, _ERRNO | _EPERM),
            _code(_JGT, last, 1, 0),
            _code(_RETURN, _ALLOW),
        ]
    program.append(_code(_RETURN, _ERRNO | _EPERM))
    return b"".join(program)


def ranges(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """The numbers as ascending inclusive ranges."""
    found: list[tuple[int, int]] = []
    for number in sorted(set(numbers)):
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


def _code(operation: int, value: int, when_true: int = 0, when_false: int = 0) -> bytes:
    return struct.pack("=HBBI", operation, when_true, when_false, value)


def _when(number: int | None, block: list[bytes]) -> list[bytes]:
    """Run the block, which returns on all its paths, for one system call only."""
    if number is None:
        return []
    return [_code(_JEQ, number, 0, len(block)), *block]


def _argument(index: int) -> bytes:
    return _code(_LOAD, _ARGUMENT_AT + 8 * index)


def _no_namespaces() -> list[bytes]:
    return [
        _argument(0),
        _code(_JSET, _NAMESPACE_FLAGS, 0, 1),
        _code(_RETURN, _ERRNO | _EPERM),
        _code(_RETURN, _ALLOW),
    ]


def _plain_sockets() -> list[bytes]:
    program = [_argument(0)]
    for family in _FAMILIES:
        program += [_code(_JEQ, family, 0, 1), _code(_RETURN, _ALLOW)]
    program += [
        _code(_JEQ, _NETLINK, 0, 3),
        _argument(2),
        _code(_JEQ, _NETLINK_ROUTE, 0, 1),
        _code(_RETURN, _ALLOW),
        _code(_RETURN, _ERRNO | _EAFNOSUPPORT),
    ]
    return program


def _stream_sockets() -> list[bytes]:
    """Unix sockets and routing information as ever; else TCP in its own name, and nothing near."""
    allow, refuse = _code(_RETURN, _ALLOW), _code(_RETURN, _ERRNO | _EACCES)
    routing = [_argument(2), _code(_JEQ, _NETLINK_ROUTE, 0, 1), allow, refuse]
    stream = [
        _argument(1),
        _code(_AND, _TYPE_MASK),
        _code(_JEQ, _STREAM, 0, 4),
        _argument(2),
        _code(_JEQ, 0, 1, 0),
        _code(_JEQ, _TCP, 0, 1),
        allow,
        refuse,
    ]
    unix, *internet = _FAMILIES
    program = [_argument(0), _code(_JEQ, unix, 0, 1), allow]
    program += [_code(_JEQ, _NETLINK, 0, len(routing)), *routing]
    for family in internet:
        program += [_code(_JEQ, family, 0, len(stream)), *stream]
    return [*program, _code(_RETURN, _ERRNO | _EAFNOSUPPORT)]


def _no_early_data(argument: int) -> list[bytes]:
    """No data with the first packet, which makes a connection without connect()."""
    return [
        _argument(argument),
        _code(_JSET, _FASTOPEN, 0, 1),
        _code(_RETURN, _ERRNO | _EACCES),
        _code(_RETURN, _ALLOW),
    ]


def _pipes_of_usual_size() -> list[bytes]:
    """What a pipe holds the server may have to read in one go, if it is that of the output."""
    return [
        _argument(1),
        _code(_JEQ, _SET_PIPE_SIZE, 0, 3),
        _argument(2),
        _code(_JGT, _PIPE_MAX_BYTES, 0, 1),
        _code(_RETURN, _ERRNO | _EPERM),
        _code(_RETURN, _ALLOW),
    ]


def _no_huge_pages(argument: int, flag: int) -> list[bytes]:
    """Those that the host has set aside are not for functions, and count for no control group."""
    return [
        _argument(argument),
        _code(_JSET, flag, 0, 1),
        _code(_RETURN, _ERRNO | _ENOMEM),
        _code(_RETURN, _ALLOW),
    ]


def _harmless_personality() -> list[bytes]:
    program = [_argument(0)]
    for value in _PERSONALITIES:
        program += [_code(_JEQ, value, 0, 1), _code(_RETURN, _ALLOW)]
    program.append(_code(_RETURN, _ERRNO | _EPERM))
    return program
