"""Whose turn it is in a fair queue: the groups that have the least in flight go first.

Source: SQS developer guide, "Amazon SQS fair queues".
"""

import heapq
from collections.abc import Mapping


def fair_shares(in_flight: Mapping[str, int], ready: Mapping[str, int], limit: int) -> list[str]:
    """The group of each of the next messages, at most `limit` of them.

    `in_flight` and `ready` count the messages of each group, groups that have waited longer first;
    each message that is given out counts as in flight from then on.
    """
    queue = [(in_flight.get(group, 0), place, group) for place, group in enumerate(ready)]
    heapq.heapify(queue)
    left = dict(ready)
    turns: list[str] = []
    while queue and len(turns) < limit:
        count, place, group = heapq.heappop(queue)
        if left[group] > 0:
            left[group] -= 1
            turns.append(group)
            heapq.heappush(queue, (count + 1, place, group))
    return turns
