"""Hot reload: a directory of the server as the code of a function, while it is worked on.

Asked for with the bucket `hot-reload` and the directory as the key, where the server allows it.
"""

import hashlib
import os
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from emberbox.model.configuration import invalid
from emberbox.model.function import FunctionVersion
from emberbox.model.request import Params

BUCKET = "hot-reload"


class HotDirectories:
    """The directories that may be code, each with all that is below it; none switches it off."""

    def __init__(self, allowed: Sequence[Path] = ()) -> None:
        self._allowed = [Path(os.path.realpath(place)) for place in allowed]

    def asked_for(self, code: Params) -> str | None:
        """The directory that `Code` or a code update names; None if it names other code.

        CallerError for a directory that is not there, or not allowed.
        """
        if not self._allowed or code.get("S3Bucket") != BUCKET:
            return None
        key = code.get("S3Key") or ""
        place = Path(os.path.realpath(key))
        if not key.startswith("/") or not place.is_dir():
            raise invalid(f"Hot reload needs the path of a directory as S3Key: {key} is none.")
        if not any(place == root or root in place.parents for root in self._allowed):
            raise invalid(
                f"{key} may not be used for hot reload: start the server with --hot-reload {key}."
            )
        return str(place)


def with_directory(function: FunctionVersion, directory: str | None) -> FunctionVersion:
    """The function with a directory for its code, or with none.

    The hash of the path stands in for that of code that may change at any time.
    """
    if directory is None:
        return replace(function, source_directory="")
    digest = hashlib.sha256(directory.encode()).digest()
    return replace(function, source_directory=directory, code_sha256=b64encode(digest).decode())


def check_publishable(latest: FunctionVersion) -> None:
    """CallerError for a function whose code may change: a version must not."""
    if latest.source_directory:
        raise invalid(
            f"The code of the function is the directory {latest.source_directory}, which may "
            "change: upload it to publish a version."
        )
