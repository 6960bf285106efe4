"""The address that the server listens on."""

import socket
from contextlib import AsyncExitStack


def bind(host: str, port: int, stack: AsyncExitStack) -> socket.socket:
    """A socket on the address, closed with the stack; OSError if it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    stack.callback(listener.close)
    return listener


def own_url(listener: socket.socket) -> str:
    """The server's address as others on this machine reach it."""
    host, port = listener.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:  # noqa: S104
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
