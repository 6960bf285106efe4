"""The seccomp program, run by a small BPF machine: what passes and what is refused."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emberbox.isolation.seccomp import build_filter, ranges
from emberbox.isolation.syscalls import ALLOWED

ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
COLUMN = {"x86_64": 0, "aarch64": 1}
ALLOW = 0x7FFF0000
EPERM, ENOMEM, EACCES, ENOSYS, EAFNOSUPPORT = 0x50001, 0x5000C, 0x5000D, 0x50026, 0x50061


def decide(
    machine: str,
    number: int,
    *arguments: int,
    arch: int | None = None,
    datagrams: bool = True,
    own_ipc: bool = True,
) -> int:
    built = build_filter(machine, datagrams=datagrams, own_ipc=own_ipc)
    program = [struct.unpack("=HBBI", p) for p in _chunks(built)]
    data = struct.pack("=IIQ", number, arch or ARCH[machine], 0)
    data += struct.pack("=6Q", *[*arguments, 0, 0, 0, 0, 0, 0][:6])
    at, value = 0, 0
    while True:
        operation, yes, no, constant = program[at]
        at += 1
        if operation == 0x20:
            (value,) = struct.unpack_from("=I", data, constant)
        elif operation == 0x06:
            return constant
        elif operation == 0x54:
            value &= constant
        else:
            holds = {
                0x15: value == constant,
                0x35: value >= constant,
                0x25: value > constant,
                0x45: value & constant != 0,
            }[operation]
            at += yes if holds else no


def _chunks(program: bytes) -> list[bytes]:
    return [program[i : i + 8] for i in range(0, len(program), 8)]


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_every_allowed_call_passes(machine: str) -> None:
    """What the table allows is allowed (with harmless arguments)."""
    for name, both in ALLOWED.items():
        number = both[COLUMN[machine]]
        if number is not None:
            arguments = (1, 1, 0) if name == "socket" else ()
            assert decide(machine, number, *arguments) == ALLOW, name


@pytest.mark.parametrize(
    ("name", "number"),
    [("mount", 165), ("ptrace", 101), ("unshare", 272), ("setns", 308), ("bpf", 321),
     ("init_module", 175), ("process_vm_readv", 310), ("perf_event_open", 298), ("keyctl", 250),
     ("open_by_handle_at", 304), ("pivot_root", 155), ("chroot", 161), ("reboot", 169),
     ("userfaultfd", 323), ("kexec_load", 246), ("pidfd_getfd", 438), ("move_mount", 429)],
)  # fmt: skip
def test_dangerous_calls_are_refused(name: str, number: int) -> None:
    """What could leave the sandbox fails with EPERM on x86-64."""
    assert decide("x86_64", number) == EPERM, name


@pytest.mark.parametrize("name", ["shmget", "semget", "msgget", "mq_open"])
def test_what_has_a_key_is_refused_where_keys_are_everybodys(name: str) -> None:
    """Memory, semaphores and queues are made only where they are the sandbox's own."""
    number = ALLOWED[name][0]

    assert number is not None
    assert decide("x86_64", number, own_ipc=False) == EPERM
    assert decide("x86_64", number) == ALLOW


def test_probed_calls_say_they_do_not_exist() -> None:
    """clone3, io_uring and x32 numbers look absent, so that libraries fall back."""
    assert [decide("x86_64", n) for n in (435, 425, 426, 427, 0x40000001)] == [ENOSYS] * 5


@pytest.mark.parametrize(
    "flag", [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000, 0x80]
)
def test_clone_makes_no_namespaces(flag: int) -> None:
    """A fork is allowed; a fork into any new namespace is not."""
    assert decide("x86_64", 56, 17) == ALLOW
    assert decide("x86_64", 56, 17 | flag) == EPERM


@pytest.mark.parametrize(("machine", "numbers"), [("x86_64", (162, 306)), ("aarch64", (81, 267))])
def test_nobody_makes_the_host_write_out_its_files(machine: str, numbers: tuple[int, int]) -> None:
    """sync and syncfs succeed, and never reach the kernel."""
    assert [decide(machine, number) for number in numbers] == [0x50000] * 2


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_pipes_stay_small(machine: str) -> None:
    """A pipe may be made smaller, and not larger than pipes are; other calls of fcntl pass."""
    number = ALLOWED["fcntl"][COLUMN[machine]]
    assert number is not None

    assert decide(machine, number, 1, 1031, 65_536) == ALLOW
    assert decide(machine, number, 1, 1031, 65_537) == EPERM
    assert decide(machine, number, 1, 0, 1_048_576) == ALLOW


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize(
    ("name", "usual", "huge"),
    [("mmap", (0, 4096, 3, 0x22), (0, 4096, 3, 0x4_0022)), ("memfd_create", (0, 1), (0, 5)),
     ("shmget", (0, 4096, 0o1600), (0, 4096, 0o5600))],
)  # fmt: skip
def test_huge_pages_look_used_up(
    machine: str, name: str, usual: tuple[int, ...], huge: tuple[int, ...]
) -> None:
    """What the host has set aside for others cannot be had: ENOMEM, which programs expect."""
    number = ALLOWED[name][COLUMN[machine]]
    assert number is not None

    assert decide(machine, number, *usual) == ALLOW
    assert decide(machine, number, *huge) == ENOMEM


def test_sockets_are_of_plain_families() -> None:
    """Unix, IPv4, IPv6 and route netlink; nothing else."""
    assert [decide("x86_64", 41, f, 1) for f in (1, 2, 10)] == [ALLOW] * 3
    assert decide("x86_64", 41, 16, 3, 0) == ALLOW
    assert [
        decide("x86_64", 41, 16, 3, 9),
        decide("x86_64", 41, 17, 3),
        decide("x86_64", 41, 40, 1),
    ] == [EAFNOSUPPORT] * 3


@pytest.mark.parametrize(("machine", "socket"), [("x86_64", 41), ("aarch64", 198)])
def test_where_ports_are_limited_only_tcp_is_left(machine: str, socket: int) -> None:
    """No datagrams and no relative of TCP, whose connections the port rules do not see."""

    def ask(*arguments: int) -> int:
        return decide(machine, socket, *arguments, datagrams=False)

    stream, datagram, raw, flags = 1, 2, 3, 0o2004000
    for family in (2, 10):
        assert [ask(family, stream | flags, protocol) for protocol in (0, 6)] == [ALLOW] * 2
        assert [ask(family, stream, protocol) for protocol in (132, 256, 262)] == [EACCES] * 3
        assert [ask(family, kind | flags, 0) for kind in (datagram, raw, 5)] == [EACCES] * 3
    assert [ask(1, stream, 0), ask(1, datagram, 0), ask(16, raw, 0)] == [ALLOW] * 3
    assert [ask(17, raw, 0), ask(16, raw, 9)] == [EAFNOSUPPORT, EACCES]


@pytest.mark.parametrize(("number", "at"), [(44, 3), (46, 2), (307, 3)])
def test_where_ports_are_limited_nothing_is_sent_before_connecting(number: int, at: int) -> None:
    """sendto, sendmsg and sendmmsg with MSG_FASTOPEN would connect past the rules."""
    harmless, early = [0] * 6, [0] * 6
    harmless[at], early[at] = 0x4000, 0x20000000 | 0x4000

    assert decide("x86_64", number, *harmless, datagrams=False) == ALLOW
    assert decide("x86_64", number, *early, datagrams=False) == EACCES
    assert decide("x86_64", number, *early) == ALLOW


def test_another_architecture_is_killed() -> None:
    """Calls through the 32-bit entry of the processor end the process."""
    assert decide("x86_64", 1, arch=0x40000003) == 0x80000000


@given(st.lists(st.integers(0, 500)))
def test_ranges_hold_exactly_the_numbers(numbers: list[int]) -> None:
    """The ranges cover the numbers, all of them and nothing else."""
    covered = [n for first, last in ranges(numbers) for n in range(first, last + 1)]

    assert covered == sorted(set(numbers))
