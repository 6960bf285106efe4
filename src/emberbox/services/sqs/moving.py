"""Message move tasks: dead letters go back to where they came from, or to another queue."""

import asyncio
import logging
import uuid
from base64 import b64encode
from contextlib import suppress
from functools import partial
from json import dumps
from typing import Final

from emberbox.errors import CallerError
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.rounds import Trouble, until_done
from emberbox.services.sqs.broker import Broker
from emberbox.services.sqs.naming import bad_value, in_range
from emberbox.services.sqs.queues import QueueOperations
from emberbox.storage.queue_moves import Move, MoveStore, Step
from emberbox.storage.queue_records import Queue

log = logging.getLogger("emberbox.sqs")

_STEP: Final = 100
_RATE_MAX: Final = 500
_LISTED: Final = 10


class MoveOperations:
    """Starts, cancels and lists move tasks, and runs them.

    `open` goes on with those a former server has begun.
    """

    def __init__(self, broker: Broker, moves: MoveStore, queues: QueueOperations) -> None:
        self._broker = broker
        self._moves = moves
        self._queues = queues
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {
            "StartMessageMoveTask": self.start_message_move_task,
            "CancelMessageMoveTask": self.cancel_message_move_task,
            "ListMessageMoveTasks": self.list_message_move_tasks,
        }

    async def open(self) -> None:
        """Go on with what was running."""
        for move in await self._moves.running():
            self._begin(move)

    async def close(self) -> None:
        """Stop; what is not moved yet is moved after the next start."""
        for task in list(self._tasks.values()):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def start_message_move_task(self, context: RequestContext, params: Params) -> Params:
        """Begin to move the messages of a dead-letter queue."""
        rate = in_range(
            params, "MaxNumberOfMessagesPerSecond", 1, _RATE_MAX, "Must be between 1 and 500."
        )
        source = self._mine(context, params["SourceArn"], "SourceArn")
        destination = params.get("DestinationArn")
        if destination is not None:
            target = self._mine(context, destination, "DestinationArn")
            if target.id == source.id:
                raise bad_value(
                    destination, "DestinationArn", "Source and destination must be different."
                )
            if target.settings.is_fifo != source.settings.is_fifo:
                raise bad_value(
                    destination,
                    "DestinationArn",
                    "Both queues must be FIFO queues, or both standard queues.",
                )
        if not self._queues.sources_of(source):
            raise bad_value(
                params["SourceArn"],
                "SourceArn",
                "Source queue must be configured as a Dead Letter Queue.",
            )
        move = Move(
            handle=_handle(source),
            account=context.account,
            region=context.region,
            source=source.key.arn,
            destination=destination,
            rate=rate,
            status="RUNNING",
            moved=0,
            to_move=(await self._broker.counts(source)).visible,
            failure=None,
            started_ms=self._broker.now_ms(),
        )
        if not await self._moves.add(move, _LISTED):
            raise CallerError(
                "UnsupportedOperation",
                "There is already a task running. Only one active task is allowed for a source "
                "queue arn at a given time.",
                status=400,
            )
        self._begin(move)
        return {"TaskHandle": move.handle}

    async def cancel_message_move_task(self, context: RequestContext, params: Params) -> Params:
        """Stop a task that runs; what it has moved stays moved."""
        move = await self._moves.get(params["TaskHandle"])
        if move is None or (move.account, move.region) != (context.account, context.region):
            raise CallerError("ResourceNotFoundException", "Task does not exist.", status=404)
        task = self._tasks.get(move.handle)
        if task is None:
            raise CallerError(
                "UnsupportedOperation",
                "Only active tasks can be cancelled.",
                status=400,
            )
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        moved = await self._moves.end(move.handle, "CANCELLED", None)
        return {"ApproximateNumberOfMessagesMoved": moved}

    async def list_message_move_tasks(self, context: RequestContext, params: Params) -> Params:
        """The latest tasks of a source."""
        source = self._mine(context, params["SourceArn"], "SourceArn")
        limit = in_range(params, "MaxResults", 1, _LISTED, "Must be between 1 and 10.")
        found = await self._moves.of_source(source.key.arn, limit or 1)
        return {"Results": [_shown(move) for move in found]}

    def _mine(self, context: RequestContext, arn: str, parameter: str) -> Queue:
        queue = self._broker.queue_by_arn(arn)
        if queue is None or queue.key[:2] != (context.account, context.region):
            raise CallerError(
                "ResourceNotFoundException",
                f"The resource that you specified for the {parameter} parameter doesn't exist.",
                status=404,
            )
        return queue

    def _begin(self, move: Move) -> None:
        task = asyncio.create_task(self._run(move))
        self._tasks[move.handle] = task
        task.add_done_callback(lambda _task: self._tasks.pop(move.handle, None))

    async def _run(self, move: Move) -> None:
        trouble = Trouble(log, f"messages of {move.source} could not be moved yet")
        while True:
            step = await until_done(partial(self._step, move), trouble)
            if step.failure is not None:
                await self._moves.end(move.handle, "FAILED", step.failure)
                return
            if step.is_last:
                await self._moves.end(move.handle, "COMPLETED", None)
                return
            if move.rate is not None:
                await asyncio.sleep(1.0)

    async def _step(self, move: Move) -> Step:
        source = self._broker.queue_by_arn(move.source)
        if source is None:
            return Step([], is_last=True, failure="AWS.SimpleQueueService.NonExistentQueue")
        step = await self._moves.step(
            move.handle,
            source,
            move.destination,
            self._broker.queue_by_arn,
            min(move.rate or _STEP, _STEP * 5),
            self._broker.now_ms(),
        )
        for queue in step.reached:
            self._broker.arrived(queue)
        return step


def _handle(source: Queue) -> str:
    known = {"taskId": str(uuid.uuid4()), "sourceArn": source.key.arn}
    return b64encode(dumps(known).encode()).decode()


def _shown(move: Move) -> Params:
    shown: Params = {
        "Status": move.status,
        "SourceArn": move.source,
        "ApproximateNumberOfMessagesMoved": move.moved,
        "ApproximateNumberOfMessagesToMove": move.to_move,
        "StartedTimestamp": move.started_ms,
    }
    if move.status == "RUNNING":
        shown["TaskHandle"] = move.handle
    for member, value in (
        ("DestinationArn", move.destination),
        ("MaxNumberOfMessagesPerSecond", move.rate),
        ("FailureReason", move.failure),
    ):
        if value is not None:
            shown[member] = value
    return shown
