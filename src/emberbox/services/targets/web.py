"""Requests to other people's web servers.

Whoever may subscribe or make a rule chooses the address. So that nobody reaches through this server
what only it can reach, addresses that are not public are refused unless the server was told
otherwise.
"""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from emberbox.services.targets.web_requests import Answer

_THREADS: Final = 64

_threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="web-call")


class WebCaller:
    """Calls; `everywhere` also addresses that are not public."""

    def __init__(self, *, everywhere: bool) -> None:
        self._everywhere = everywhere

    async def __call__(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str],
        timeout_s: float,
    ) -> "Answer":
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
    ) -> "Answer":
        from emberbox.services.targets.web_requests import call_web, to_any, to_public

        opener = to_any if self._everywhere else to_public
        return call_web(opener, method, url, body, headers, timeout_s)
