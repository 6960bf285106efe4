"""The service `iam`: its operations, by name."""

from collections.abc import Mapping

from emberbox.clock import Clock
from emberbox.model.request import Operation
from emberbox.services.iam.policies import PolicyOperations
from emberbox.services.iam.refusals import answering
from emberbox.services.iam.role_policies import RolePolicyOperations
from emberbox.services.iam.roles import RoleOperations
from emberbox.storage.identities import IdentityStore


class IamService:
    """IAM over the identity store. It has no regions."""

    name = "iam"

    def __init__(self, identities: IdentityStore, clock: Clock) -> None:
        built = (
            RoleOperations(identities, clock).operations
            | RolePolicyOperations(identities).operations
            | PolicyOperations(identities, clock).operations
        )
        self.operations: Mapping[str, Operation] = {
            name: answering(operation) for name, operation in built.items()
        }
