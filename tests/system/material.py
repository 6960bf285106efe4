"""What system tests are made of: packages, a role, processes and environments to watch."""

import io
import json
import os
import select
import textwrap
import time
import urllib.request
import zipfile

ROLE = "arn:aws:iam::123456789012:role/MyLambdaExecutionRole"


def make_zip(**files):
    """A zip of modules: `lambda_function="source"` becomes lambda_function.py."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, source in files.items():
            entry = zipfile.ZipInfo(f"{name}.py", (2024, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, textwrap.dedent(source))
    return out.getvalue()


def await_environments(url, function, wanted):
    """Wait until what `wanted` says of a function's environments is so; it is given how many are
    in which state."""
    deadline = time.monotonic() + 60
    while True:
        with urllib.request.urlopen(f"{url}/_emberbox/now", timeout=30) as answer:
            rows = json.load(answer)["functions"]
        states = next((row["environments"] for row in rows if row["function"] == function), {})
        if wanted(states):
            return
        assert time.monotonic() < deadline, states


def await_rest(url, function):
    """Wait until no environment of a function is begun, busy, or reset."""
    await_environments(url, function, lambda states: states.keys() <= {"IDLE", "EMPTY"})


class Watched:
    """Processes that are watched until they have ended."""

    def __init__(self, pids):
        self._descriptors = {}
        for pid in pids:
            try:
                self._descriptors[os.pidfd_open(pid)] = pid
            except ProcessLookupError:
                continue

    def __len__(self):
        return len(self._descriptors)

    def await_ends(self, seconds):
        """Wait until all have ended; the process ids of those that have not."""
        left = dict(self._descriptors)
        while left:
            ready, _, _ = select.select(list(left), [], [], seconds)
            if not ready:
                break
            for descriptor in ready:
                del left[descriptor]
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors = {}
        return sorted(left.values())
