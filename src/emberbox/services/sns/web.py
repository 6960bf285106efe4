"""A POST to somebody's web server, of which only the status is read."""

import asyncio
import http.client
import urllib.error
import urllib.request
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

_TIMEOUT_S: Final = 15.0
_THREADS: Final = 32
_AGENT: Final = "Amazon Simple Notification Service Agent"

_threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="sns-post")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any, **_more: Any) -> None:
        return None


_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects)


async def post(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    """The status of the answer; OSError if there is none in time. Redirects are not followed."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _post, url, body, headers)


def _post(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    request = urllib.request.Request(url, body, {"user-agent": _AGENT, **headers})  # noqa: S310
    try:
        with _opener.open(request, timeout=_TIMEOUT_S) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code
    except (http.client.HTTPException, ValueError) as error:
        raise OSError(f"{type(error).__name__}: {error}") from None
