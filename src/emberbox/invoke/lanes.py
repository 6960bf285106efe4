"""Which event runs next: a lane for each function, served in turn."""

from collections import deque
from dataclasses import field
from math import inf

from emberbox.model.async_invocation import may_start
from emberbox.records import dataclass
from emberbox.storage.event_queue import Lane, Room, Stored

WINDOW_EVENTS = 256
WINDOW_BYTES = 4 << 20


@dataclass(eq=False, slots=True)
class LaneState:
    """The near end of one function's events; the rest is on disk.

    `ready` are loaded and due. `known` are the numbers of all that are loaded or running. `more`
    says that there may be due events on disk that are not loaded. `limit` is how many may run at
    once: it falls when the function is throttled and grows with every run that is not.
    """

    lane: Lane
    ready: deque[Stored] = field(default_factory=deque)
    ready_bytes: int = 0
    known: set[int] = field(default_factory=set)
    running: int = 0
    more: bool = False
    is_loading: bool = False
    blocked_until: float = 0.0
    limit: float = inf

    @property
    def has_room(self) -> bool:
        """Whether one more event may be kept in memory."""
        return len(self.ready) < WINDOW_EVENTS and self.ready_bytes < WINDOW_BYTES

    @property
    def room(self) -> Room:
        """What may be loaded now."""
        return Room(WINDOW_EVENTS - len(self.ready), max(0, WINDOW_BYTES - self.ready_bytes))

    @property
    def is_low(self) -> bool:
        """Whether it is time to load more."""
        return (
            self.more
            and not self.is_loading
            and len(self.ready) < WINDOW_EVENTS // 4
            and self.ready_bytes < WINDOW_BYTES // 4
        )

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left that this server knows of."""
        return not (self.ready or self.known or self.more or self.is_loading)

    def push(self, stored: Stored) -> None:
        """Keep a due event at the end."""
        self.known.add(stored.number)
        self.ready.append(stored)
        self.ready_bytes += len(stored.event.payload)

    def pop(self) -> Stored:
        """Take the first event to run it; it runs until `ran`, and stays known until `settled`."""
        stored = self.ready.popleft()
        self.ready_bytes -= len(stored.event.payload)
        self.running += 1
        return stored

    def put_back(self, stored: Stored) -> None:
        """It was throttled while others of the lane run: it is next when one of them has ended."""
        self.ready.appendleft(stored)
        self.ready_bytes += len(stored.event.payload)
        self.limit = max(1, self.running)

    def served(self) -> None:
        """A run was not throttled: one more at once after a round of such."""
        self.limit += 1 / self.limit if self.limit < inf else 0

    def ran(self) -> None:
        """One of its events does not run any more."""
        self.running -= 1

    def settled(self, number: int) -> None:
        """What became of an event is on disk."""
        self.known.discard(number)

    def clear(self) -> None:
        """Forget what waits: the function is gone."""
        for stored in self.ready:
            self.known.discard(stored.number)
        self.ready.clear()
        self.ready_bytes = 0
        self.more = False


class Rotation:
    """All lanes; `next` goes round, so that no backlog keeps the others waiting."""

    def __init__(self) -> None:
        self._lanes: dict[Lane, LaneState] = {}
        self._turn: deque[LaneState] = deque()

    def __len__(self) -> int:
        return len(self._lanes)

    def lane(self, lane: Lane) -> LaneState:
        """The state of a lane, made if it is new."""
        state = self._lanes.get(lane)
        if state is None:
            state = self._lanes[lane] = LaneState(lane)
            self._turn.append(state)
        return state

    def find(self, lane: Lane) -> LaneState | None:
        """The state of a lane, if it is known."""
        return self._lanes.get(lane)

    def states(self) -> list[LaneState]:
        """All of them."""
        return list(self._lanes.values())

    def next(self, slots: int, running: int, now: float) -> LaneState | None:
        """The lane whose turn it is; None if none may start anything now."""
        for _ in range(len(self._turn)):
            state = self._turn[0]
            self._turn.rotate(-1)
            if state.is_empty:
                self._turn.remove(state)
                del self._lanes[state.lane]
                continue
            if not state.ready or state.blocked_until > now or state.running >= state.limit:
                continue
            if may_start(running, state.running, slots):
                return state
        return None
