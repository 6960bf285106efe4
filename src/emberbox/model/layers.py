"""Layers: names, versions, what a function holds of them, and who may use them.

Source: API reference of Lambda (PublishLayerVersion, AddLayerVersionPermission) and the guide's
pages on layers. The texts of errors are the service's own.
"""

import json
import re
from collections.abc import Sequence

from emberbox.errors import CallerError
from emberbox.model.configuration import invalid
from emberbox.model.function import CodeObject, FunctionVersion, Layer
from emberbox.model.limits import UNZIPPED_MAX_BYTES
from emberbox.records import dataclass

LAYERS_MAX = 5
POLICY_MAX_BYTES = 20_480
_ARN = re.compile(
    r"arn:aws[a-zA-Z-]*:lambda:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):layer:"
    r"(?P<name>[a-zA-Z0-9-_]{1,140})(?::(?P<number>\d{1,18}))?\Z"
)
_NAME = re.compile(r"[a-zA-Z0-9-_]{1,140}\Z")


@dataclass(frozen=True, slots=True)
class LayerReference:
    """A layer as a caller named it; `number` None where the text did not say."""

    account: str
    region: str
    name: str
    number: int | None = None


@dataclass(frozen=True, slots=True)
class LayerStatement:
    """One grant of a layer version's policy; `organization` limits it to members of that."""

    sid: str
    action: str
    principal: str
    organization: str | None = None

    def allows(self, account: str) -> bool:
        """Whether an account that belongs to no organisation may use the layer version."""
        who = self.principal.split(":")[4] if ":" in self.principal else self.principal
        return self.organization is None and who in ("*", account)


@dataclass(frozen=True, slots=True)
class LayerVersion:
    """One version of a layer; all but its policy stays as it is. Times are epoch seconds."""

    account: str
    region: str
    name: str
    number: int
    package_id: str
    code_sha256: str
    code_size: int
    unzipped_size: int
    created: float
    description: str = ""
    runtimes: tuple[str, ...] | None = None
    architectures: tuple[str, ...] | None = None
    license_info: str | None = None
    policy: tuple[LayerStatement, ...] = ()
    policy_revision: str | None = None
    code_object: CodeObject | None = None

    @property
    def stored_size(self) -> int:
        """The bytes that count as code of the account: none of code that stays in a bucket."""
        return 0 if self.code_object else self.code_size

    @property
    def layer_arn(self) -> str:
        """The layer's ARN."""
        return layer_arn(self.account, self.region, self.name)

    @property
    def arn(self) -> str:
        """The version's ARN."""
        return layer_arn(self.account, self.region, self.name, self.number)

    def fits(self, runtime: str | None, architecture: str | None) -> bool:
        """Whether it says that it is for this runtime and this architecture; None asks nothing."""
        return (runtime is None or runtime in (self.runtimes or ())) and (
            architecture is None or architecture in (self.architectures or ())
        )

    def may_be_used_by(self, account: str) -> bool:
        """Whether functions of that account may have it."""
        return account == self.account or any(each.allows(account) for each in self.policy)

    @property
    def held(self) -> Layer:
        """What a function keeps of it."""
        return Layer(self.arn, self.code_size, self.package_id, self.unzipped_size)


def layer_arn(account: str, region: str, name: str, number: int | None = None) -> str:
    """The ARN of a layer, or of a version of it."""
    arn = f"arn:aws:lambda:{region}:{account}:layer:{name}"
    return arn if number is None else f"{arn}:{number}"


def parse_layer(text: str, account: str, region: str) -> LayerReference | None:
    """A layer by its name or its ARN, with or without version; None for anything else."""
    if _NAME.match(text):
        return LayerReference(account, region, text)
    found = _ARN.match(text)
    if found is None:
        return None
    number = found["number"]
    return LayerReference(
        found["account"], found["region"], found["name"], int(number) if number else None
    )


def check_list(arns: Sequence[str]) -> None:
    """CallerError if a function may not have these layer versions together."""
    if len(arns) > LAYERS_MAX:
        raise invalid(f"Cannot reference more than {LAYERS_MAX} layers.")
    seen: dict[str, str] = {}
    for arn in arns:
        layer = arn.rpartition(":")[0]
        if layer in seen:
            raise invalid(
                "Two different versions of the same layer are not allowed to be referenced in the "
                f"same function. {seen[layer]} and {arn} are versions of the same layer."
            )
        seen[layer] = arn


def check_together(function: FunctionVersion) -> None:
    """CallerError if a function's code and its layers are too large together, unzipped."""
    total = function.unzipped_size + sum(layer.unzipped_size for layer in function.layers)
    if total > UNZIPPED_MAX_BYTES:
        raise invalid(
            "Function code combined with layers exceeds the maximum allowed size of "
            f"{UNZIPPED_MAX_BYTES} bytes. The actual size is {total} bytes."
        )


def granted(version: LayerVersion, added: LayerStatement) -> tuple[LayerStatement, ...]:
    """The policy with one more statement; CallerError if it may not have that."""
    if any(each.sid == added.sid for each in version.policy):
        raise CallerError(
            "ResourceConflictException",
            f"The statement id ({added.sid}) provided already exists. Please provide a new "
            "statement id, or remove the existing statement.",
            status=409,
        )
    policy = (*version.policy, added)
    if len(policy_document(version, policy)) > POLICY_MAX_BYTES:
        raise CallerError(
            "PolicyLengthExceededException",
            f"The final policy size is bigger than the limit ({POLICY_MAX_BYTES}).",
            status=400,
        )
    return policy


def revoked(version: LayerVersion, sid: str) -> tuple[LayerStatement, ...]:
    """The policy without a statement; CallerError if it has none of that id."""
    left = tuple(each for each in version.policy if each.sid != sid)
    if len(left) == len(version.policy):
        raise CallerError(
            "ResourceNotFoundException",
            f"Statement {sid} is not found in resource policy.",
            status=404,
        )
    return left


def policy_document(version: LayerVersion, policy: Sequence[LayerStatement]) -> str:
    """The policy as JSON."""
    statements = [_statement(version, each) for each in policy]
    document = {"Version": "2012-10-17", "Id": "default", "Statement": statements}
    return json.dumps(document, separators=(",", ":"))


def statement_text(version: LayerVersion, statement: LayerStatement) -> str:
    """One statement as JSON."""
    return json.dumps(_statement(version, statement), separators=(",", ":"))


def _statement(version: LayerVersion, statement: LayerStatement) -> dict[str, object]:
    principal: object = statement.principal
    if principal != "*":
        account = statement.principal
        principal = {"AWS": account if ":" in account else f"arn:aws:iam::{account}:root"}
    shown: dict[str, object] = {
        "Sid": statement.sid,
        "Effect": "Allow",
        "Principal": principal,
        "Action": statement.action,
        "Resource": version.arn,
    }
    if statement.organization is not None:
        shown["Condition"] = {"StringEquals": {"aws:PrincipalOrgID": statement.organization}}
    return shown
