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
import urllib.error
import urllib.request
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple

from emberbox.errors import CallerError

_THREADS: Final = 64
_READ_MAX: Final = 262_144
_CONNECT_S: Final = 15.0
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


class _PublicConnection(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = _connected(self.host, self.port)


class _PublicTlsConnection(http.client.HTTPSConnection):
    def connect(self) -> None:
        plain = _connected(self.host, self.port)
        self.sock = self._context.wrap_socket(plain, server_hostname=self.host)  # type: ignore[attr-defined]


class _PublicHandler(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_PublicConnection, req)


class _PublicTlsHandler(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_PublicTlsConnection, req)


_no_proxy = urllib.request.ProxyHandler({})
_to_any = urllib.request.build_opener(_no_proxy, _NoRedirects)
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
        """The answer; OSError if there is none in time. Redirects are not followed.

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
        try:
            request = urllib.request.Request(url, body, dict(headers), method=method)  # noqa: S310
            with self._opener.open(request, timeout=timeout_s) as answer:
                return Answer(int(answer.status), answer.read(_READ_MAX))
        except urllib.error.HTTPError as refused:
            with refused:
                return Answer(refused.code, refused.read(_READ_MAX))
        except _NotPublicError as error:
            raise CallerError("EndpointRefused", str(error), status=_FORBIDDEN) from None
        except (http.client.HTTPException, ValueError) as error:
            raise OSError(f"{type(error).__name__}: {error}") from None


def is_public(address: str) -> bool:
    """Whether an IP address is anybody's, and not of this machine or a private network."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return parsed.is_global and not parsed.is_multicast


def _connected(host: str, port: int) -> socket.socket:
    """A connection to the first address of a host that answers, if it is public."""
    trouble: OSError = OSError(f"{host} has no address")
    for *_, place in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        address = str(place[0])
        if not is_public(address):
            raise _NotPublicError(
                f"{host} is {address}, which is not public: serve --sns-local-web allows it"
            )
        try:
            return socket.create_connection((address, port), _CONNECT_S)
        except OSError as error:
            trouble = error
    raise trouble
