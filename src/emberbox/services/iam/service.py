"""The service `iam`: its operations, by name."""

from collections.abc import Mapping

from emberbox.clock import Clock
from emberbox.identity.authority import Authority
from emberbox.identity.callers import Callers
from emberbox.model.request import Operation
from emberbox.services.iam.account import AccountOperations
from emberbox.services.iam.entity_policies import EntityPolicyOperations
from emberbox.services.iam.groups import GroupOperations
from emberbox.services.iam.policies import PolicyOperations
from emberbox.services.iam.profiles import ProfileOperations
from emberbox.services.iam.providers import ProviderOperations
from emberbox.services.iam.refusals import answering
from emberbox.services.iam.roles import RoleOperations
from emberbox.services.iam.simulation import SimulationOperations
from emberbox.services.iam.users import UserOperations
from emberbox.storage.identities import IdentityStore
from emberbox.storage.identity_records import Kind


class IamService:
    """IAM over the identity store. It has no regions."""

    name = "iam"

    def __init__(
        self, identities: IdentityStore, callers: Callers, authority: Authority, clock: Clock
    ) -> None:
        built = (
            UserOperations(identities, callers, clock).operations
            | GroupOperations(identities.users, clock).operations
            | RoleOperations(identities, clock).operations
            | PolicyOperations(identities, clock).operations
            | ProfileOperations(identities, clock).operations
            | ProviderOperations(identities.providers, clock).operations
            | SimulationOperations(identities, authority, clock).operations
            | AccountOperations(identities).operations
        )
        for kind in Kind:
            built |= EntityPolicyOperations(identities.grants, kind).operations
        self.operations: Mapping[str, Operation] = {
            name: answering(operation) for name, operation in built.items()
        }
