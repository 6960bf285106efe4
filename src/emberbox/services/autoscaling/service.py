"""The service `application-autoscaling`: its operations, by name."""

from collections.abc import Mapping

from emberbox.clock import Clock
from emberbox.model.request import Operation
from emberbox.services.autoscaling.rules import RuleOperations
from emberbox.services.autoscaling.scaling_clock import Capacity, ScalingClock
from emberbox.services.autoscaling.targets import Exists, TargetOperations
from emberbox.storage.scaling import ScalingStore


class AutoScalingService:
    """Scales provisioned concurrency. `clock` is to be opened and closed with the server."""

    name = "application-autoscaling"

    def __init__(
        self, store: ScalingStore, capacity: Capacity, exists: Exists, clock: Clock
    ) -> None:
        self.scaling_clock = ScalingClock(store, capacity, clock)
        self.operations: Mapping[str, Operation] = {
            **TargetOperations(store, clock, exists, self.scaling_clock.fit).operations,
            **RuleOperations(store, clock).operations,
        }
