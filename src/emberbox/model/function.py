"""A function version as it is configured, and the states it goes through."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import field
from enum import Enum
from typing import Final

from emberbox.machine import Table
from emberbox.model import limits
from emberbox.model.names import LATEST, PUBLISHED, function_arn
from emberbox.records import dataclass

PUBLISHED_NUMBER: Final = 10**17
"""Where `$LATEST.PUBLISHED` stands among versions in order: last. SQL spells it out."""


class State(Enum):
    """`State` of a function version (botocore lambda model)."""

    PENDING = "Pending"
    ACTIVE = "Active"
    INACTIVE = "Inactive"
    FAILED = "Failed"


class UpdateStatus(Enum):
    """`LastUpdateStatus` of a function version."""

    SUCCESSFUL = "Successful"
    IN_PROGRESS = "InProgress"
    FAILED = "Failed"


STATE_TABLE: Table[State] = {
    State.PENDING: frozenset({State.ACTIVE, State.INACTIVE, State.FAILED}),
    State.ACTIVE: frozenset({State.INACTIVE, State.FAILED}),
    State.INACTIVE: frozenset({State.PENDING}),
    State.FAILED: frozenset({State.PENDING}),
}

UPDATE_TABLE: Table[UpdateStatus] = {
    UpdateStatus.SUCCESSFUL: frozenset({UpdateStatus.IN_PROGRESS}),
    UpdateStatus.IN_PROGRESS: frozenset({UpdateStatus.SUCCESSFUL, UpdateStatus.FAILED}),
    UpdateStatus.FAILED: frozenset({UpdateStatus.IN_PROGRESS}),
}


@dataclass(frozen=True, slots=True)
class Logging:
    """`LoggingConfig`: where and how a function logs."""

    group: str
    format: str = "Text"
    application_level: str | None = None
    system_level: str | None = None


@dataclass(frozen=True, slots=True)
class FileSystem:
    """`FileSystemConfig`: the ARN of an access point, and where the function sees it."""

    arn: str
    path: str


@dataclass(frozen=True, slots=True)
class CodeObject:
    """The version of an object in S3 that code stays in: `ResolvedS3Object`."""

    bucket: str
    key: str
    version: str


@dataclass(frozen=True, slots=True)
class Layer:
    """What a function holds of a layer version: enough to run when that has been deleted."""

    arn: str
    code_size: int
    package_id: str
    unzipped_size: int


@dataclass(frozen=True, slots=True)
class Vpc:
    """The subnets and security groups that a function was given; they have no effect here.

    A function that was taken out of its VPC has one without subnets.
    """

    subnet_ids: tuple[str, ...]
    security_group_ids: tuple[str, ...]
    ipv6_allowed: bool = False

    @property
    def vpc_id(self) -> str:
        """An id of the form that AWS gives, always the same for the same subnets."""
        if not self.subnet_ids:
            return ""
        digest = hashlib.sha256(":".join(sorted(self.subnet_ids)).encode()).hexdigest()
        return f"vpc-{digest[:17]}"


@dataclass(frozen=True, slots=True)
class Managed:
    """`CapacityProviderConfig`, and the accelerator's memory in GB if one was asked for.

    There are no managed instances here: it is kept and shown, and the function runs as any other.
    """

    provider_arn: str
    max_concurrency: int | None = None
    memory_gib_per_vcpu: float | None = None
    accelerator_gb: int | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """A container image and what a function changes of it; None and empty are the image's own."""

    uri: str
    entry_point: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    working_directory: str | None = None


def opt_name(layers: Sequence[Layer]) -> str | None:
    """The name of the tree that a function with these layers sees at /opt; None for no layers.

    One layer alone is its own tree. The same layers in the same order give the same name.
    """
    ids = [layer.package_id for layer in layers]
    if len(ids) <= 1:
        return ids[0] if ids else None
    return f"opt-{hashlib.sha256(':'.join(ids).encode()).hexdigest()}"


@dataclass(frozen=True, slots=True)
class FunctionVersion:
    """One version of one function: code and configuration, immutable but for its states.

    Units are in the names; `code_sha256` is base64 as the API shows it, `package_id` the same hash
    in hex and the name of the package in the package store. `environment` None means never given.
    `snap_start` is whether SnapStart applies to published versions, `snap_optimized` whether this
    one has a snapshot. `update_status` None means that no update has happened yet, `unzipped_size`
    0 that it was not recorded. A function with an `image` has no runtime, handler and package: they
    are empty; one with a `source_directory` has no package, its code is what is in there.
    `tenant_isolation` is empty for a function that has no tenants. `code_object` is where the code
    stays if it was not copied, `source_key_arn` what was named as the key of the package.
    """

    account: str
    region: str
    name: str
    role: str
    runtime: str
    handler: str
    package_id: str
    code_sha256: str
    code_size: int
    revision_id: str
    last_modified: float
    logging: Logging
    version: str = LATEST
    description: str = ""
    timeout_s: int = limits.TIMEOUT_DEFAULT_S
    memory_mb: int = limits.MEMORY_DEFAULT_MB
    ephemeral_mb: int = limits.EPHEMERAL_DEFAULT_MB
    environment: Mapping[str, str] | None = None
    architecture: str = "x86_64"
    tracing_mode: str = "PassThrough"
    state: State = State.PENDING
    state_reason: str | None = "The function is being created."
    state_reason_code: str | None = "Creating"
    update_status: UpdateStatus | None = None
    update_reason: str | None = None
    update_reason_code: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    snap_start: bool = False
    snap_optimized: bool = False
    layers: tuple[Layer, ...] = ()
    unzipped_size: int = 0
    vpc: Vpc | None = None
    dead_letter_arn: str = ""
    kms_key_arn: str = ""
    image: Image | None = None
    source_directory: str = ""
    tenant_isolation: str = ""
    file_system: FileSystem | None = None
    managed: Managed | None = None
    code_object: CodeObject | None = None
    source_key_arn: str = ""

    @property
    def stored_size(self) -> int:
        """The bytes that count as code of the account: none of code that stays in a bucket."""
        return 0 if self.code_object else self.code_size

    @property
    def is_in_vpc(self) -> bool:
        """Whether it has subnets."""
        return self.vpc is not None and bool(self.vpc.subnet_ids)

    @property
    def is_traced(self) -> bool:
        """Whether its invocations are sampled for X-Ray without being asked."""
        return self.tracing_mode == "Active"

    @property
    def number(self) -> int:
        """The version's number, 0 for `$LATEST`."""
        if self.version == PUBLISHED:
            return PUBLISHED_NUMBER
        return 0 if self.version == LATEST else int(self.version)

    @property
    def arn(self) -> str:
        """The unqualified ARN."""
        return function_arn(self.account, self.region, self.name)

    @property
    def is_snapshot(self) -> bool:
        """Whether environments of this version begin from a snapshot, if there is one."""
        return self.snap_start and self.version != LATEST

    @property
    def key(self) -> tuple[str, str, str]:
        """Account, region, name."""
        return (self.account, self.region, self.name)
