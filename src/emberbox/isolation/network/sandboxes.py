"""The network of this server's sandboxes: the mode, and the way out of each zygote's router."""

import logging
from contextlib import suppress

from emberbox.errors import PlatformError
from emberbox.isolation.network.modes import Choice, Mode, Way
from emberbox.isolation.network.resolver import RESOLV_CONF, Relay
from emberbox.isolation.network.uplinks import (
    LinkUplinks,
    Router,
    TranslatorUplinks,
    Uplink,
    Uplinks,
)

log = logging.getLogger("emberbox.network")

GATEWAY = "169.254.78.1"


class WayOut:
    """A router with its uplink and its name service."""

    def __init__(self, router: Router, uplink: Uplink | None) -> None:
        self._router = router
        self._uplink = uplink
        self._relay = Relay(router.datagrams, router.streams)

    def close(self) -> None:
        """The zygote has ended."""
        self._relay.close()
        if self._uplink is not None:
            self._uplink.close()
        self._router.close()


class SandboxNetwork:
    """See the module. `identity` names the server in what it tells the host."""

    def __init__(self, choice: Choice, identity: str) -> None:
        self.choice = choice
        self._uplinks: Uplinks | None = None
        if choice.way in {Way.NFT, Way.IPTABLES}:
            self._uplinks = LinkUplinks(choice.way, identity)
        elif choice.way is not None:
            self._uplinks = TranslatorUplinks(choice.way)

    @property
    def resolv_conf(self) -> str:
        """The text of /etc/resolv.conf inside."""
        if self.choice.mode is Mode.NAT:
            return f"nameserver {GATEWAY}\n"
        if self.choice.mode is Mode.HOST:
            with suppress(OSError):
                return RESOLV_CONF.read_text("utf-8", "replace")
        return ""

    async def connect(self, descriptors: list[int], *, translates: bool) -> WayOut:
        """Give a zygote's router its way out.

        PlatformError if that cannot be done and nothing less was asked for. Else its sandboxes
        reach what they reach in the mode `service`, and the log says so.
        """
        router = Router.of(descriptors)
        try:
            return WayOut(router, await self._attach(router, translates=translates))
        except PlatformError as error:
            if not self.choice.asked:
                log.warning("functions do not reach the internet: %s", error)
                return WayOut(router, None)
            router.close()
            raise

    async def _attach(self, router: Router, *, translates: bool) -> Uplink:
        if self._uplinks is None or not translates:
            raise PlatformError("the kernel cannot translate addresses: load nf_tables")
        return await self._uplinks.attach(router)

    def close(self) -> None:
        """Give back what this host was told."""
        if self._uplinks is not None:
            self._uplinks.close()
