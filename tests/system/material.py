"""What system tests are made of: packages, a role, and processes to watch."""

import io
import os
import select
import textwrap
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
