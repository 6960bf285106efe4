"""What can be told of what happens in a bucket: functions, queues, topics, the event bus."""

from typing import Protocol

from emberbox.storage.s3_records import Bucket


class Target(Protocol):
    """One kind of target. Its policy is asked where policies are enforced."""

    async def problem(self, arn: str, bucket: Bucket) -> str:
        """Why a bucket may not tell a target; empty if it may."""
        ...

    async def tell(self, arn: str, bucket: Bucket, body: str, trace: str) -> None:
        """Return once the target has it on disk. CallerError if it never will."""
        ...


Targets = dict[str, Target]
"""By the service in the target's ARN; the event bus as `eventbridge`."""
