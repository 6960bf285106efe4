"""The managed policies of AWS that a Lambda user attaches; the file beside this holds them."""

import hashlib
import json
from base64 import b32encode
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from emberbox.records import dataclass

CREATED = 1_417_392_000.0
"""When they are said to have been made: the first of December 2014, in seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class ManagedPolicy:
    """A policy of AWS; it has one version, and nobody can change it."""

    name: str
    path: str
    description: str
    document: str

    @property
    def arn(self) -> str:
        """Its ARN, which is the same in every account."""
        return f"arn:aws:iam::aws:policy{self.path}{self.name}"

    @property
    def id(self) -> str:
        """An id that is always the same."""
        return "ANPA" + b32encode(hashlib.sha256(self.name.encode()).digest())[:17].decode()


@cache
def managed_policies() -> Mapping[str, ManagedPolicy]:
    """All of them: ARN -> policy, by ARN."""
    text = (files(__package__) / "managed_policies.json").read_text("utf-8")
    made = (
        ManagedPolicy(
            each["name"], each["path"], each["description"], json.dumps(each["document"], indent=4)
        )
        for each in json.loads(text)
    )
    return {policy.arn: policy for policy in sorted(made, key=lambda policy: policy.arn)}
