"""How a zygote's router reaches the world: by a link of this host, or by a process that translates.

A zygote hands over descriptors of its router; `attach` gives the router its way out. All of it ends
with the router: links vanish with their namespace, and translators when the server ends.
"""

import asyncio
import os
import select
import socket
import subprocess
import tempfile
from contextlib import suppress
from typing import Protocol

from emberbox.errors import PlatformError
from emberbox.isolation.cgroup_owners import is_alive
from emberbox.isolation.inside.netlink import Netlink, address, refuse, route, up, veth
from emberbox.isolation.network import firewall
from emberbox.isolation.network.firewall import Iptables, Nft
from emberbox.isolation.network.modes import Way
from emberbox.records import dataclass

UPLINK = "uplink"
_MTU = "65520"
_SLOTS = 8_192
_READY_S = 10.0
_REFUSED_PRIORITY = 210
_IPV4_ADDRESS_CHANGES = 0x10
_NAMES = 1_000


@dataclass(slots=True)
class Router:
    """A zygote's router, by descriptors that are this object's own until `close`."""

    namespace: int
    users: int
    asking: Netlink
    datagrams: socket.socket
    streams: socket.socket

    @classmethod
    def of(cls, descriptors: list[int]) -> "Router":
        """From what a zygote has sent."""
        namespace, users, asking, datagrams, streams = descriptors
        return cls(
            namespace,
            users,
            Netlink(socket.socket(fileno=asking)),
            socket.socket(fileno=datagrams),
            socket.socket(fileno=streams),
        )

    def close(self) -> None:
        """Let go of it: it ends with its zygote."""
        os.close(self.namespace)
        os.close(self.users)
        for sock in (self.asking.socket, self.datagrams, self.streams):
            sock.close()


class Uplink(Protocol):
    """One router's way out."""

    def close(self) -> None:
        """Give back what does not end with the router."""
        ...


class Uplinks(Protocol):
    """Makes ways out."""

    async def attach(self, router: Router) -> Uplink:
        """PlatformError if it cannot be made."""
        ...

    def close(self) -> None:
        """The server ends."""
        ...


class _Nothing:
    def close(self) -> None:
        return


class LinkUplinks:
    """A pair of links for each router, and address translation by the host's packet filter."""

    def __init__(self, way: Way, identity: str) -> None:
        self._identity = identity
        self._links = f"{firewall.LINK_PREFIX}{os.getpid()}-"
        path = firewall.program("nft" if way is Way.NFT else "iptables")
        if path is None:
            raise PlatformError(f"{way.value}: not installed")
        self._filter: Nft | Iptables = Nft(path) if way is Way.NFT else Iptables(path)
        other = firewall.program("iptables")
        self._beside = Iptables(other) if way is Way.NFT and other else None
        self._installing: asyncio.Future[None] | None = None
        self._marked = False
        self._serial = 0

    async def attach(self, router: Router) -> Uplink:
        """A new link between the host and the router."""
        if self._installing is None:
            self._installing = asyncio.ensure_future(asyncio.to_thread(self._install))
        await asyncio.shield(self._installing)
        self._serial += 1
        try:
            await asyncio.to_thread(_connect, router, self._links, self._serial)
        except OSError as error:
            raise PlatformError(f"no link to the host: {error}") from error
        return _Nothing()

    def _install(self) -> None:
        """Also takes over from servers that have died: what they left is removed."""
        others = self._filter.owned()
        was_on = firewall.forwarding()
        self._marked = not was_on or any(o.marked for o in others)
        if not was_on:
            try:
                firewall.set_forwarding(on=True)
            except OSError as error:
                raise PlatformError(f"net.ipv4.ip_forward cannot be set: {error}") from error
        self._filter.install(self._identity, self._links, marked=self._marked)
        if self._beside is not None:
            with suppress(PlatformError):
                self._beside.except_from_drop(self._identity, self._links)
        for side in self._sides():
            for dead in side.owned():
                if not is_alive(dead.identity):
                    side.remove(dead.identity)

    def _sides(self) -> list[Nft | Iptables]:
        return [self._filter, *([self._beside] if self._beside is not None else [])]

    def close(self) -> None:
        """Remove the rules; forwarding goes off again if nobody else's server needs it."""
        if self._installing is None or not self._installing.done():
            return
        with suppress(PlatformError, OSError):
            for side in self._sides():
                if any(o.identity == self._identity for o in side.owned()):
                    side.remove(self._identity)
            if self._marked and not self._filter.owned():
                firewall.set_forwarding(on=False)


def _connect(router: Router, links: str, serial: int) -> None:
    host = Netlink()
    try:
        taken = {ip for _, ip in host.addresses()}
        number = (os.getpid() + serial) % _SLOTS
        while socket.inet_aton(_slot(number)[0]) in taken:
            number = (number + 1) % _SLOTS
        ours, theirs = _slot(number)
        name = f"{links}{serial % _NAMES}"
        host.ask(veth(name, 0, UPLINK, 2, router.namespace))
        index = host.index_of(name)
        host.ask(address(index, ours, 30), up(index, forwards=True))
    finally:
        host.socket.close()
    router.asking.ask(address(2, theirs, 30), up(2, forwards=True), route(2, gateway=ours))


def _slot(number: int) -> tuple[str, str]:
    """The two addresses of an uplink, ours and the router's."""
    third, fourth = divmod(number * 4, 256)
    return f"198.19.{128 + third}.{fourth + 1}", f"198.19.{128 + third}.{fourth + 2}"


class TranslatorUplinks:
    """slirp4netns or pasta for each router: an ordinary process that makes its connections anew."""

    def __init__(self, way: Way) -> None:
        name = "slirp4netns" if way is Way.SLIRP else "pasta"
        path = firewall.program(name)
        if path is None:
            raise PlatformError(f"{name} is not installed")
        self._path = path
        self._way = way

    async def attach(self, router: Router) -> Uplink:
        """Start one, and keep this host's own addresses out of its reach."""
        start = _start_slirp if self._way is Way.SLIRP else _start_pasta
        translator = await start(self._path, router)
        try:
            index = await asyncio.to_thread(router.asking.index_of, UPLINK)
            router.asking.ask(up(index, forwards=True))
            return _Translated(translator, router)
        except OSError as error:
            translator.close()
            raise PlatformError(f"{self._path} made no link: {error}") from error

    def close(self) -> None:
        """Each ends with its router."""
        return


class _Process:
    """A translator; `alive` is the descriptor whose closing ends it, or -1."""

    def __init__(self, command: list[str], descriptors: tuple[int, ...], alive: int) -> None:
        self._alive = alive
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        try:
            self._process = subprocess.Popen(  # noqa: S603 - a fixed program, our own arguments
                command,
                pass_fds=descriptors,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                start_new_session=True,
            )
        except OSError as error:
            self._errors.close()
            raise PlatformError(f"{command[0]}: {error}") from error

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        if self._alive >= 0:
            os.close(self._alive)
            self._alive = -1
        self._process.kill()
        self._process.wait()
        self._errors.close()

    def failed(self) -> PlatformError:
        """End it; the error has its last words."""
        self._process.kill()
        self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read(4096).decode("utf-8", "replace").strip().splitlines()
        self.close()
        said = lines[-1] if lines else f"status {self._process.returncode}"
        return PlatformError(f"no way to the internet: {said}")


class _Translated:
    """Watches this host's addresses: the translator could reach them, and the router refuses to."""

    def __init__(self, translator: _Process, router: Router) -> None:
        self._translator = translator
        self._router = router
        self._refused: set[bytes] = set()
        self._changes = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._changes.bind((0, _IPV4_ADDRESS_CHANGES))
        self._changes.setblocking(False)
        asyncio.get_running_loop().add_reader(self._changes, self._changed)
        self._look()

    def _changed(self) -> None:
        with suppress(OSError):
            self._changes.recv(65_536)
        self._look()

    def _look(self) -> None:
        asking = Netlink()
        now = {ip for _, ip in asking.addresses()}
        asking.socket.close()
        for gone, addresses in ((False, now - self._refused), (True, self._refused - now)):
            for ip in addresses:
                text = socket.inet_ntoa(ip)
                self._router.asking.ask(refuse(text, 32, _REFUSED_PRIORITY, lift=gone))
        self._refused = now

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._changes)
        self._changes.close()
        self._translator.close()


async def _start_slirp(path: str, router: Router) -> _Process:
    ready, tell = os.pipe()
    stay, alive = os.pipe()
    descriptors = (tell, stay, router.namespace, router.users)
    command = [
        path, "--configure", f"--mtu={_MTU}", "--disable-host-loopback", "--disable-dns",
        "--enable-seccomp", f"--ready-fd={tell}", f"--exit-fd={stay}",
        "--netns-type=path",
        # Its own sandbox needs more users than an ordinary user's namespace has.
        "--enable-sandbox" if os.geteuid() == 0 else f"--userns-path=/proc/self/fd/{router.users}",
        f"/proc/self/fd/{router.namespace}", UPLINK,
    ]  # fmt: skip
    try:
        process = _Process(command, descriptors, alive)
    except PlatformError:
        os.close(alive)
        raise
    finally:
        os.close(tell)
        os.close(stay)
    try:
        if not await asyncio.to_thread(_read_within, ready):
            raise process.failed()
    finally:
        os.close(ready)
    return process


async def _start_pasta(path: str, router: Router) -> _Process:
    ends_with_us = firewall.program("setpriv")
    command = [
        *([ends_with_us, "--pdeathsig", "KILL"] if ends_with_us else []),
        path, "--foreground", "--quiet", "--config-net", "--ns-ifname", UPLINK, "--no-map-gw",
        "--ipv4-only", "--tcp-ports", "none", "--udp-ports", "none", "--tcp-ns", "none",
        "--udp-ns", "none", "--no-dhcp", "--no-ra", "--no-dhcpv6", "--no-ndp",
        "--netns", f"/proc/self/fd/{router.namespace}",
        *(["--netns-only", "--runas", "0"] if os.geteuid() == 0 else
          ["--userns", f"/proc/self/fd/{router.users}"]),
    ]  # fmt: skip
    process = _Process(command, (router.namespace, router.users), -1)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _READY_S
    # It says nothing when it is ready: its link is there then.
    while loop.time() < deadline and process.runs:
        with suppress(OSError):
            index = router.asking.index_of(UPLINK)
            if any(link == index for link, _ in router.asking.addresses()):
                return process
        await asyncio.sleep(0.01)
    raise process.failed()


def _read_within(descriptor: int) -> bytes:
    return os.read(descriptor, 1) if select.select([descriptor], [], [], _READY_S)[0] else b""
