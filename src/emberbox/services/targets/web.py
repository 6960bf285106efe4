"""Requests to other people's web servers.

Whoever may subscribe or make a rule chooses the address. So that nobody reaches through this server
what only it can reach, addresses that are not public are refused unless the server was told
otherwise. What is looked at is the very address that is connected to, not what the name had been
before.
"""

import asyncio
import http.client
import ipaddress
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final, NamedTuple

from emberbox.errors import CallerError

_THREADS: Final = 64
_READ_MAX: Final = 262_144
_WITH_IPV4: Final = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("::/96"))
"""Networks of IPv6 whose last bits are an address of IPv4: translated, and compatible ones."""
_FORBIDDEN: Final = 403

_threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="web-call")


class Answer(NamedTuple):
    """A status, and the beginning of the body."""

    status: int
    body: bytes


class _NotPublicError(Exception):
    """An address within this machine or its network."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any, **_more: Any) -> None:
        return None


class _Call:
    """A call whose time can be over: a server that answers byte by byte keeps no thread."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self.is_over = False

    def has(self, connection: socket.socket) -> None:
        """It has a connection now."""
        self._socket = connection
        if self.is_over:
            raise TimeoutError("no connection in time")

    def end(self) -> None:
        """Whoever reads from it reads no more."""
        self.is_over = True
        if self._socket is not None:
            with suppress(OSError):
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


_current = threading.local()


class _Connection(http.client.HTTPConnection):
    only_public = False

    def connect(self) -> None:
        self.sock = _connected(self.host, self.port, self.timeout, only_public=self.only_public)
        _current.call.has(self.sock)


class _TlsConnection(http.client.HTTPSConnection):
    only_public = False

    def connect(self) -> None:
        plain = _connected(self.host, self.port, self.timeout, only_public=self.only_public)
        _current.call.has(plain)
        self.sock = self._context.wrap_socket(plain, server_hostname=self.host)  # type: ignore[attr-defined]
        _current.call.has(self.sock)


class _PublicConnection(_Connection):
    only_public = True


class _PublicTlsConnection(_TlsConnection):
    only_public = True


class _Handler(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Connection, req)


class _TlsHandler(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_TlsConnection, req)


class _PublicHandler(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_PublicConnection, req)


class _PublicTlsHandler(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_PublicTlsConnection, req)


_no_proxy = urllib.request.ProxyHandler({})
_to_any = urllib.request.build_opener(_no_proxy, _NoRedirects, _Handler, _TlsHandler)
_to_public = urllib.request.build_opener(_no_proxy, _NoRedirects, _PublicHandler, _PublicTlsHandler)


class WebCaller:
    """Calls; `everywhere` also addresses that are not public."""

    def __init__(self, *, everywhere: bool) -> None:
        self._opener = _to_any if everywhere else _to_public

    async def __call__(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str],
        timeout_s: float,
    ) -> Answer:
        """The answer; OSError if it does not end in time. Redirects are not followed.

        CallerError for an address that nothing is sent to.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            _threads, self._call, method, url, body, headers, timeout_s
        )

    def _call(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str],
        timeout_s: float,
    ) -> Answer:
        call = _current.call = _Call()
        clock = threading.Timer(timeout_s, call.end)
        clock.start()
        try:
            return self._answer(method, url, body, headers, timeout_s)
        except _NotPublicError as error:
            raise CallerError("EndpointRefused", str(error), status=_FORBIDDEN) from None
        except (http.client.HTTPException, ValueError) as error:
            raise OSError(f"{type(error).__name__}: {error}") from None
        finally:
            clock.cancel()

    def _answer(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str],
        timeout_s: float,
    ) -> Answer:
        try:
            request = urllib.request.Request(url, body, dict(headers), method=method)  # noqa: S310
            with self._opener.open(request, timeout=timeout_s) as answer:
                found = Answer(int(answer.status), answer.read(_READ_MAX))
        except urllib.error.HTTPError as refused:
            with refused:
                found = Answer(refused.code, refused.read(_READ_MAX))
        if _current.call.is_over:
            raise TimeoutError("the answer did not end in time")
        return found


def is_public(address: str) -> bool:
    """Whether an IP address is anybody's, and not of this machine or a private network."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        parsed = _inner(parsed) or parsed
    return parsed.is_global and not parsed.is_multicast


def _inner(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that one of IPv6 leads to, if it does."""
    if any(address in network for network in _WITH_IPV4):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def _connected(
    host: str, port: int, timeout_s: float | None, *, only_public: bool
) -> socket.socket:
    """A connection to the first address of a host that answers while there is time."""
    trouble: OSError = OSError(f"{host} has no address")
    for *_, place in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        if _current.call.is_over:
            break
        address = str(place[0])
        if only_public and not is_public(address):
            raise _NotPublicError(
                f"{host} is {address}, which is not public: serve --sns-local-web allows it"
            )
        try:
            return socket.create_connection((address, port), timeout_s)
        except OSError as error:
            trouble = error
    raise trouble
