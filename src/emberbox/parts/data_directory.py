"""The data directory: one server's alone, with a secret of its own."""

import fcntl
import os
import secrets
import shutil
import tempfile
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import IO

from emberbox.errors import PlatformError

_EPHEMERAL_PREFIX = "emberbox-"


class InUseError(PlatformError):
    """Another server uses the data directory."""


def claim(place: Path, stack: AsyncExitStack) -> Path:
    """Make the data directory ours alone until the stack unwinds."""
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        place = place.resolve()
        place.chmod(0o700)
        lock: IO[str] = stack.enter_context((place / "lock").open("a+", encoding="ascii"))
    except OSError as error:
        raise PlatformError(
            f"the data directory {place} cannot be used: {error.strerror}; choose another with "
            "--data-dir"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.seek(0)
        pid = lock.read(16).strip() or "unknown"
        raise InUseError(
            f"{place} is in use by another Emberbox server (pid {pid}): stop it, or give this one "
            "its own --data-dir"
        ) from None
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return place


def ephemeral_directory() -> Path:
    """A fresh temporary data directory; those of servers that died are removed."""
    for old in Path(tempfile.gettempdir()).glob(f"{_EPHEMERAL_PREFIX}*/lock"):
        with suppress(OSError), old.open("r+", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(old.parent, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=_EPHEMERAL_PREFIX))


def own_secret(path: Path) -> bytes:
    """This data directory's own secret, made at the first start."""
    if not path.exists():
        fresh = path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_bytes(secrets.token_bytes(32))
        fresh.replace(path)
    return path.read_bytes()
