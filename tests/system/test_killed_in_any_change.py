"""A server that is killed in the middle of any change of the Lambda API has made it or has not.

The table of `every_change` has every operation that changes something. Each line is gone through
once to see the state after each change, then over and over until the server is killed. What the
next server finds must be the state before the change that was under way, or the one after it.
"""

import itertools
import random
import threading

import pytest
from botocore.exceptions import BotoCoreError
from every_change import TABLE, Subject
from hands import ApiError, Boto3Hands

from tools.running import start

CHANGING = ("Add", "Create", "Delete", "Publish", "Put", "Remove", "Tag", "Untag", "Update")
NOT_BUILT = {"DeleteDurableExecution"}


class Changing(threading.Thread):
    """Goes through the changes of a line until the server is gone. `known` says that it has seen
    the state after each; `at` are the states that may be found."""

    def __init__(self, hands, line, called, answered):
        super().__init__(name=line)
        begin, self.changes, self.shown = TABLE[line]
        self.subject = Subject(hands, line, called)
        self.answered = answered
        self.known = threading.Event()
        self.at = []
        self.fault = None
        self._begin = begin

    def run(self):
        try:
            self._begin(self.subject)
            states = [self.shown(self.subject)]
            for change in self.changes:
                change(self.subject)
                states.append(self.shown(self.subject))
            assert states[0] == states[-1]
        except Exception as error:
            self.fault = error
            raise
        finally:
            self.known.set()
        try:
            for number in itertools.cycle(range(len(self.changes))):
                self.at = [states[number], states[number + 1]]
                self.changes[number](self.subject)
                self.at = [states[number + 1]]
                self.answered.release()
        except (ApiError, BotoCoreError) as error:
            self.fault = None if isinstance(error, BotoCoreError) else error


@pytest.mark.parametrize("seed", range(2))
def test_every_change_is_made_or_not(tmp_path, seed):
    """Whichever it is, and nothing but the connection has failed before the server was killed."""
    chance, called, answered = random.Random(seed), set(), threading.Semaphore(0)
    server = start(tmp_path / "data", tmp_path / "log")
    hands = Boto3Hands(server.url)
    hands.client("lambda")
    threads = [Changing(hands, line, called, answered) for line in TABLE]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.known.wait()
    for _ in range(chance.randrange(20, 120)):
        answered.acquire()
    server.kill()
    for thread in threads:
        thread.join()
    hands.close()

    second = start(tmp_path / "data", tmp_path / "log")
    after = Boto3Hands(second.url)
    try:
        found = {t.name: t.shown(Subject(after, t.name, set())) for t in threads}
        built = after.client("lambda").meta.service_model.operation_names
    finally:
        after.close()
        assert second.stop() == 0
    assert [t.fault for t in threads if t.fault] == []
    assert {t.name: found[t.name] for t in threads if found[t.name] not in t.at} == {}
    assert called == {name for name in built if name.startswith(CHANGING)} - NOT_BUILT
    assert "Traceback" not in (tmp_path / "log").read_text("utf-8", "replace")
