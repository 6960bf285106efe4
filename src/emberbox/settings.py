"""The settings of a server; the only reader of the process environment."""

import os
from dataclasses import field
from enum import Enum
from pathlib import Path

from emberbox.records import dataclass

DEFAULT_ACCOUNT = "123456789012"
DEFAULT_REGION = "us-east-1"
DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 4566
OTLP_PROTOCOL = "http/protobuf"


class AuthMode(Enum):
    """Whom a server believes, and whom it lets do what."""

    OPEN = "open"
    """Any credentials; the access key chooses the account."""
    AUTHENTICATED = "authenticated"
    """Signatures are verified; who has signed may do everything in its account."""
    ENFORCED = "enforced"
    """Signatures are verified, and policies decide."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a server runs. Durations are seconds; `port` 0 takes a free one."""

    data_dir: Path
    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    account: str = DEFAULT_ACCOUNT
    region: str = DEFAULT_REGION
    auth: AuthMode = AuthMode.OPEN
    new_root_key: bool = False
    log_decisions: bool = False
    log_format: str = "text"
    concurrency: int = 1_000
    request_rate: float = 10.0
    admission_wait_s: float = 0.0
    memory_reserve_mb: int | None = None
    async_concurrency: int = 32
    timeout_max_s: int = 900
    blank_sandboxes: int = 4
    idle_timeout_s: float = 600.0
    inactive_after_s: float | None = None
    freeze_after_s: float = 0.01
    drain_s: float = 10.0
    cpu_limit: bool = True
    strict_runtimes: bool = False
    hot_reload: tuple[Path, ...] = ()
    file_systems: tuple[tuple[str, Path], ...] = ()
    """Directories that functions may have as file systems: (ARN of an access point, directory)."""
    network: str | None = None
    isolation: str | None = None
    fresh_process: bool = False
    sns_local_web: bool = False
    endpoints: tuple[tuple[str, str], ...] = ()
    """Services that event sources and deliveries use elsewhere: (name, URL)."""
    otel: bool = False
    home: Path = field(default_factory=Path.home)


def default_data_dir() -> Path:
    """Where a server keeps its state unless told otherwise (XDG base directories)."""
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "emberbox"


def opentelemetry_is_off() -> bool:
    """Whether the standard variables say that no spans are wanted."""
    disabled = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    return disabled or os.environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none"


def otlp_protocol() -> str:
    """How the standard variables want spans to be exported."""
    general = os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "")
    given = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "") or general
    return given.strip() or OTLP_PROTOCOL
