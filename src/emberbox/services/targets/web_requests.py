"""One request to somebody else's web server, made in a thread with the standard library.

Whether an address is public is asked of the very one that is connected to, not of what the name had
been before. These libraries take long to import, and most servers call nobody: `web` imports this
when it is needed.
"""

import http.client
import ipaddress
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple

from emberbox.errors import CallerError

_READ_MAX: Final = 262_144
_WITH_IPV4: Final = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("::/96"))
"""Networks of IPv6 whose last bits are an address of IPv4: translated, and compatible ones."""
_FORBIDDEN: Final = 403


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
to_any = urllib.request.build_opener(_no_proxy, _NoRedirects, _Handler, _TlsHandler)
to_public = urllib.request.build_opener(_no_proxy, _NoRedirects, _PublicHandler, _PublicTlsHandler)


def call_web(
    opener: urllib.request.OpenerDirector,
    method: str,
    url: str,
    body: bytes | None,
    headers: Mapping[str, str],
    timeout_s: float,
) -> Answer:
    """The answer, for a thread to wait for; what `WebCaller` says of it."""
    call = _current.call = _Call()
    clock = threading.Timer(timeout_s, call.end)
    clock.start()
    try:
        return _answer(opener, method, url, body, headers, timeout_s)
    except _NotPublicError as error:
        raise CallerError("EndpointRefused", str(error), status=_FORBIDDEN) from None
    except (http.client.HTTPException, ValueError) as error:
        raise OSError(f"{type(error).__name__}: {error}") from None
    finally:
        clock.cancel()


def _answer(
    opener: urllib.request.OpenerDirector,
    method: str,
    url: str,
    body: bytes | None,
    headers: Mapping[str, str],
    timeout_s: float,
) -> Answer:
    try:
        request = urllib.request.Request(url, body, dict(headers), method=method)  # noqa: S310
        with opener.open(request, timeout=timeout_s) as answer:
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
