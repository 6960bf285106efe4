"""A POST to somebody's web server, of which only the status is read.

Whoever may subscribe chooses the address. So that nobody reaches through this server what only it
can reach, addresses that are not public are refused unless the server was told otherwise. What is
looked at is the very address that is connected to, not what the name had been before.
"""

import asyncio
import http.client
import ipaddress
import socket
import urllib.error
import urllib.request
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from emberbox.errors import CallerError

_TIMEOUT_S: Final = 15.0
_THREADS: Final = 32
_AGENT: Final = "Amazon Simple Notification Service Agent"
_FORBIDDEN: Final = 403

_threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="sns-post")


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


class WebPoster:
    """Posts; `everywhere` also to addresses that are not public."""

    def __init__(self, *, everywhere: bool) -> None:
        self._opener = _to_any if everywhere else _to_public

    async def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """The status of the answer; OSError if there is none in time. Redirects are not followed.

        CallerError for an address that nothing is sent to.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(_threads, self._post, url, body, headers)

    def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        request = urllib.request.Request(url, body, {"user-agent": _AGENT, **headers})  # noqa: S310
        try:
            with self._opener.open(request, timeout=_TIMEOUT_S) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code
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
            return socket.create_connection((address, port), _TIMEOUT_S)
        except OSError as error:
            trouble = error
    raise trouble
