"""`python -m bench.mixed_soak`: all languages at once, while their processes are killed.

Functions of each language that this host has work, print, fail, exit, overrun their time and exceed
their memory, invoked by several clients at once. Meanwhile runtimes, extensions, inits and zygotes
are killed. An answer must be the right one, or, where a kill may be its cause, what AWS says of a
process that was killed; there must not be more of those than kills can have caused. At the end
what the server holds is compared with what it held before.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import uvloop

from bench import mixed_subjects
from bench.client import Answer, Connection, connect, invoke_request
from bench.killing import Killer, Victim
from bench.mixed_subjects import Subject
from bench.soak import settle
from bench.subjects import Subjects
from tools.running import RunningServer, running

_CLIENTS = 8
_HASTY_S = 3
_ACTIONS = {"work": 80, "fail": 8, "exit": 3, "slow": 1, "allocate": 1}
_KILL_EVERY_S = 1.0
_CALM_ROUND = 8
_WRONG_MAX = 20
# Where memory ran out the kernel may also choose a process of the extension, which ends by that.
_OF_EXTENSION = '"Runtime.OutOfMemory"'
# What AWS says of a process that somebody has killed, and of the second try that met one more.
_EXCUSES = ("signal: killed", "Extension.Crash", "Extension.LaunchError", "Extension.InitError")


def judge(subject: Subject, action: str, n: int, answer: Answer) -> str:
    """The action if the answer is right, `excused` if a kill explains it, else what is wrong."""
    text = answer.body.decode("utf-8", "replace")
    wanted = {
        "fail": "on purpose",
        "exit": "exit status 3",
        "slow": f"Task timed out after {_HASTY_S}.00 seconds",
        "allocate": subject.hungry or "",
    }.get(action)
    if answer.status == 200 and wanted is None and not answer.is_function_error:
        if json.loads(answer.body).get("n") == n:
            return action
    elif answer.status == 200 and wanted and answer.is_function_error and wanted in text:
        return action
    if action == "allocate" and subject.extended and _OF_EXTENSION in text:
        return action
    if answer.is_function_error and any(excuse in text for excuse in _EXCUSES):
        return "excused"
    return f"WRONG {subject.name} {action}: {answer.status} {text[:300]}"


class MixedLoad:
    """Clients that invoke at random, and what came of it."""

    def __init__(self, url: str, subjects: Sequence[Subject], seed: int) -> None:
        self._url = url
        self._subjects = subjects
        self._choice = random.Random(seed)
        self._serial = 0
        self.results: Counter[str] = Counter()
        self.by_language: Counter[str] = Counter()

    @property
    def wrong(self) -> dict[str, int]:
        """Wrong answers, under their own text."""
        return {text: n for text, n in self.results.items() if text.startswith("WRONG")}

    async def calm(self) -> None:
        """Every action of every function some times: what a server holds from then on is had."""
        turns = [(s, a) for s in self._subjects for a in _ACTIONS for _ in range(_times(s, a))]
        connections = [await connect(self._url) for _ in range(_CLIENTS)]

        async def client(number: int) -> None:
            for subject, action in turns[number::_CLIENTS]:
                await self._one(connections[number], subject, action)
            connections[number].close()

        await asyncio.gather(*(client(number) for number in range(_CLIENTS)))

    async def storm(self, seconds: float, killer: Killer) -> None:
        """Clients invoke and the killer kills until the time is over."""
        end = time.monotonic() + seconds

        async def client() -> None:
            connection = await connect(self._url)
            while time.monotonic() < end and len(self.wrong) < _WRONG_MAX:
                subject = self._choice.choice(self._subjects)
                actions = [action for action in _ACTIONS if _times(subject, action)]
                weights = [_ACTIONS[action] for action in actions]
                await self._one(connection, subject, self._choice.choices(actions, weights)[0])
            connection.close()

        async def kill() -> None:
            while time.monotonic() < end:
                await asyncio.sleep(_KILL_EVERY_S)
                killer.kill()

        await asyncio.gather(kill(), *(client() for _ in range(_CLIENTS)))

    async def _one(self, connection: Connection, subject: Subject, action: str) -> None:
        self._serial += 1
        n = self._serial
        name = subject.hasty if action == "slow" else subject.name
        payload = json.dumps({"do": action, "n": n, "status": 3}).encode()
        answer = await connection.call(invoke_request(self._url, name, payload))
        self.results[judge(subject, action, n, answer)] += 1
        self.by_language[subject.name] += 1


def _times(subject: Subject, action: str) -> int:
    """How often an action is tried in the calm round; 0 where a language cannot have it."""
    if action == "allocate" and subject.hungry is None:
        return 0
    return _CALM_ROUND if action == "work" else 1


def excusable(killed: Counter[Victim]) -> int:
    """How many answers so many kills can have spoilt: with a zygote go all its environments."""
    single = sum(n for victim, n in killed.items() if victim is not Victim.ZYGOTE)
    return single * 2 + killed[Victim.ZYGOTE] * _CLIENTS


def main() -> int:
    """Status 1 for a wrong answer, one that nothing excuses, a leak, or a fault in the log."""
    parser = argparse.ArgumentParser(prog="python -m bench.mixed_soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30, help="default: 30")
    parser.add_argument("--seed", type=int, default=1, help="of the random order (default: 1)")
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="emberbox-mixed-") as place,
        running(Path(place) / "data", Path(place) / "log") as server,
    ):
        report, good = _soak(server, Path(place) / "data", arguments.minutes * 60, arguments.seed)
    print(json.dumps(report, indent=2))
    print(f"storm: {report['verdict']}", file=sys.stderr)
    return 0 if good else 1


def _soak(
    server: RunningServer, data: Path, seconds: float, seed: int
) -> tuple[dict[str, object], bool]:
    hands = Subjects(server.url)
    found = mixed_subjects.at_hand()
    load = MixedLoad(server.url, found, seed)
    killer = Killer(server.pid, seed)
    with _made(hands, found):
        uvloop.run(load.calm())
    calm = load.results["excused"]
    before = settle(server, data, None)
    with _made(hands, found):
        began = time.monotonic()
        uvloop.run(load.storm(seconds, killer))
        took = time.monotonic() - began
    after = settle(server, data, before)
    hands.close()
    log = server.log.read_text("utf-8", "replace")
    excused, most = load.results["excused"], excusable(killer.killed)
    grown = after.grown(before)
    against = [
        *(f"{n} x {text}" for text, n in load.wrong.items()),
        *(f"grown {what}" for what in grown),
        *([f"{calm} answers spoilt before any kill"] if calm else []),
        *([f"{excused} answers spoilt, kills explain {most}"] if excused > most else []),
        *(["tracebacks in the server's log"] if "Traceback" in log else []),
    ]
    report: dict[str, object] = {
        "verdict": f"BAD: {'; '.join(against)}" if against else "GOOD",
        "seconds": round(took, 1),
        "invocations": load.results.total(),
        "functions": dict(sorted(load.by_language.items())),
        "killed": {victim.name.lower(): n for victim, n in killer.killed.items()},
        "answers": {text: n for text, n in sorted(load.results.items()) if text not in load.wrong},
        "excusable_at_most": most,
        "excused_before_any_kill": calm,
        "wrong": load.wrong,
        "before": str(before),
        "after": str(after),
        "grown": grown,
        "tracebacks_in_the_server_log": log.count("Traceback"),
    }
    return report, not against


@contextmanager
def _made(hands: Subjects, subjects: Sequence[Subject]) -> Iterator[None]:
    """The functions are there for the duration of a block."""
    for subject in subjects:
        mixed_subjects.create(hands.client, subject, hasty_s=_HASTY_S)
    yield
    for subject in subjects:
        mixed_subjects.delete(hands.client, subject)


if __name__ == "__main__":
    sys.exit(main())
