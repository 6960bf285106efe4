"""Links to code packages, like the presigned ones of AWS: for a while, for whoever has them."""

import hashlib
import hmac
from pathlib import Path
from urllib.parse import parse_qs

from emberbox.clock import Clock
from emberbox.model.function import CodeObject
from emberbox.model.request import Params
from emberbox.storage.packages import PackageStore

PREFIX = "/_emberbox/code/"
_VALID_S = 600
_FIELDS_MAX = 8


class CodeDownloads:
    """Makes and checks the links."""

    def __init__(self, packages: PackageStore, secret: bytes, clock: Clock) -> None:
        self._packages = packages
        self._key = hmac.digest(secret, b"code downloads", "sha256")
        self._clock = clock

    def link(self, endpoint: str, owner: tuple[str, ...], package_id: str) -> str:
        """A URL below `endpoint` that is good for ten minutes; `owner` only makes it readable."""
        place = "/".join((*owner, package_id))
        expires = str(int(self._clock.now()) + _VALID_S)
        path = f"{PREFIX}{place}"
        signature = self._signature(path, expires)
        return f"{endpoint}{path}?expires={expires}&signature={signature}"

    def resolve(self, path: str, query: str) -> Path | None:
        """The zip file for the path and the query string of a link; None if the link is no good.

        The file may have been removed since.
        """
        try:
            asked = parse_qs(query, max_num_fields=_FIELDS_MAX)
            expires = asked.get("expires", [""])[-1]
            expected = self._signature(path, expires)
        except ValueError:
            return None
        signature = asked.get("signature", [""])[-1]
        if not hmac.compare_digest(signature.encode(), expected.encode()):
            return None
        # From here on it is a link that we have made.
        if int(expires) < self._clock.now():
            return None
        return self._packages.zip_path(path.rpartition("/")[2])

    def _signature(self, path: str, expires: str) -> str:
        message = f"{path}\n{expires}".encode()
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()


def resolved(held: CodeObject) -> Params:
    """`ResolvedS3Object`: the version of an object that code stays in."""
    return {"S3Bucket": held.bucket, "S3Key": held.key, "S3ObjectVersion": held.version}
