"""Functions that send the server more than it could ever serve: neighbours hardly notice."""

import re
import threading
import time
from pathlib import Path

import pytest


def resident(pid):
    """The server's memory, in MB."""
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) >> 10


@pytest.fixture
def beside(boto, server, victim):
    """While an attack goes on: how much the server grows, and for which part of the time (of six
    seconds at least) a neighbour waits for one answer."""

    def run(attack):
        crowd = threading.Thread(target=attack)
        before = most = resident(server.pid)
        waits = []
        crowd.start()
        while crowd.is_alive():
            began = time.monotonic()
            boto.invoke(victim, b"{}")
            waits.append(time.monotonic() - began)
            most = max(most, resident(server.pid))
        return most - before, max(waits) / max(6.0, sum(waits))

    return run


@pytest.mark.parametrize(
    ("where", "path"),
    [("runtime", "nothing"), ("endpoint", "nothing"), ("endpoint", "2015-03-31/functions")],
)
def test_endless_requests_end_their_connection(attack, alive, beside, where, path):
    """Who asks on and on without reading costs neither memory nor the others' time."""
    ended = []

    def flood():
        told = attack("endless_requests", memory=1769, where=where, path=path, seconds=1)
        ended.append(told["ended"])

    grown, part = beside(flood)

    assert ended[0] > 1
    assert grown < 40
    assert part < 1 / 3


def test_a_body_in_crumbs_holds_nobody_up(attack, alive, beside):
    """However small the pieces of an answer are, others have their turn between them."""
    answers = []

    def flood():
        answers.append(attack("crumbs", memory=1769, count=5_000_000))

    grown, part = beside(flood)

    assert answers == ["x" * 5_000_000]
    assert grown < 80
    assert part < 1 / 3


def test_a_payload_in_crumbs_holds_nobody_up(attack, alive, beside):
    """Nor do the events that are sent to functions."""
    grown, part = beside(lambda: attack("crumbs_of_a_payload", memory=1769, seconds=2))

    assert grown < 80
    assert part < 1 / 3


def test_unfinished_requests_do_not_fill_the_server(attack, alive, beside):
    """Eighty connections that each hold back the end of a request: a part is kept, not all."""
    grown, _ = beside(lambda: attack("unfinished_requests", memory=1769, timeout=60, count=80))

    assert grown < 200
