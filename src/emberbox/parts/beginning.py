"""How a start begins: what waits for the host and for the disk, while modules are imported.

Most of a start is Python reading the server's modules. This module needs few of them, and what it
sets going is done in other processes and by the disk.
"""

import asyncio
import socket
from asyncio import Future
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from emberbox.isolation.cgroups import CgroupTree
from emberbox.isolation.finding import find_ground
from emberbox.isolation.levels import Ground
from emberbox.parts.data_directory import claim
from emberbox.parts.listening import bind
from emberbox.records import dataclass
from emberbox.settings import Settings
from emberbox.storage.database import create_database

_DATABASES: Final = (
    "state",
    "logs",
    "metrics",
    "usage",
    "queues",
    "topics",
    "s3",
    "buses",
    "schedules",
    "events",
)
"""What every server opens; the file of each is named as it is."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """The data directory, ours alone; the socket of our address; what threads find and make."""

    data: Path
    listener: socket.socket
    ground: Future[tuple[Ground, CgroupTree | str]]
    databases: Future[list[None]]


def begin(settings: Settings, stack: AsyncExitStack) -> Beginning:
    """Take the data directory and the address until the stack unwinds, and set the rest going."""
    data = claim(settings.data_dir, stack)
    listener = bind(settings.host, settings.port, stack)
    loop = asyncio.get_running_loop()
    ground = loop.run_in_executor(None, find_ground, settings.isolation)
    made = [
        loop.run_in_executor(None, create_database, path, name)
        for name in _DATABASES
        if not (path := data / f"{name}.db").exists()
    ]
    return Beginning(data, listener, ground, asyncio.gather(*made))
