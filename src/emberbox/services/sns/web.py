"""A POST to somebody's web server, of which only the status is read."""

from collections.abc import Mapping
from typing import Final

from emberbox.services.targets.web import WebCaller

_TIMEOUT_S: Final = 15.0
_AGENT: Final = "Amazon Simple Notification Service Agent"


class WebPoster:
    """Posts; `everywhere` also to addresses that are not public."""

    def __init__(self, *, everywhere: bool) -> None:
        self._call = WebCaller(everywhere=everywhere)

    async def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """The status of the answer; errors as for `WebCaller`."""
        headers = {"user-agent": _AGENT, **headers}
        return (await self._call("POST", url, body, headers, _TIMEOUT_S)).status
