"""Which web pages may talk to us: none but those of this machine.

A page of any site can make a browser send requests to a port on the user's own machine. Clients
that are no browsers send no Origin header and are not concerned.
"""

import ipaddress
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from emberbox.errors import CallerError

_CACHED: Final = 256


@lru_cache(_CACHED)
def is_foreign(origin: bytes | None, host: bytes | None) -> bool:
    """Whether a request comes from a page of another site.

    A name that is no loopback name is foreign even if it is the name we were asked by: any site can
    have its own name point here.
    """
    if origin is None:
        return False
    name = _host_name(origin.decode("latin-1"))
    if name == "localhost" or name.endswith(".localhost"):
        return False
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return True
    return not (address.is_loopback or name == _host_name("//" + (host or b"").decode("latin-1")))


def foreign_page() -> CallerError:
    """The refusal."""
    return CallerError(
        "AccessDeniedException", "Requests from pages of other sites are refused.", status=403
    )


def _host_name(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""
