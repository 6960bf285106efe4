"""How one environment begins its life: by INIT, or by RESTORE from the image of a template."""

import os
import weakref
from dataclasses import replace

from emberbox.environment.plan import Plan
from emberbox.isolation.sandbox import Addresses, Launch
from emberbox.model.function import FunctionVersion
from emberbox.model.initialization import Initialization, init_timeout_s
from emberbox.model.limits import RESTORE_TIMEOUT_S
from emberbox.records import dataclass


class Image:
    """The memory of a template's process, in a file without a name.

    `size_bytes` is what the file holds, shared by all who take it up. Only sandboxes of the same
    `lineage` can. The descriptor is closed when nobody holds the image any more.
    """

    def __init__(self, descriptor: int, size_bytes: int, lineage: int) -> None:
        self.descriptor = descriptor
        self.size_bytes = size_bytes
        self.lineage = lineage
        weakref.finalize(self, os.close, descriptor)

    def __repr__(self) -> str:
        return f"<image of {self.size_bytes} bytes, lineage {self.lineage}>"


@dataclass(frozen=True, slots=True)
class Beginning:
    """Without an image the environment runs INIT. `notice` is for its log."""

    initialization: Initialization = Initialization.ON_DEMAND
    image: Image | None = None
    notice: str = ""

    @property
    def is_provisioned(self) -> bool:
        """Whether the environment is made ahead of need."""
        return self.initialization is Initialization.PROVISIONED

    @property
    def is_repeated(self) -> bool:
        """Whether another environment takes the place of one that fails."""
        return self.image is not None or self.is_provisioned

    @property
    def shared_bytes(self) -> int:
        """Memory that the environment shares, which is not counted as its own."""
        return self.image.size_bytes if self.image is not None else 0

    def timeout_s(self, function: FunctionVersion) -> float:
        """Seconds until the runtime must be ready."""
        if self.image is not None:
            return RESTORE_TIMEOUT_S
        return init_timeout_s(self.initialization, function.timeout_s)

    def launch(self, plan: Plan, stream_name: str, addresses: Addresses) -> Launch:
        """The runtime process to start."""
        launch = plan.launch(stream_name, addresses, self.initialization)
        return launch if self.image is None else replace(launch, image=self.image.descriptor)


ON_DEMAND = Beginning()
AHEAD = Beginning(Initialization.PROVISIONED)
