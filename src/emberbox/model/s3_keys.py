"""The order of keys, and names of buckets. Keys are ordered by their UTF-8 bytes.

Source: S3 user guide, "Naming objects" and "General purpose bucket naming rules".
"""

import re
from typing import Final
from urllib.parse import parse_qs, unquote

KEY_MAX_BYTES: Final = 1_024

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z")
_ADDRESS: Final = re.compile(r"\d+\.\d+\.\d+\.\d+\Z")
_RESERVED_STARTS: Final = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_ENDS: Final = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
_LAST: Final = 0x10FFFF


def is_bucket_name(name: str) -> bool:
    """Whether a bucket may have this name."""
    return (
        _NAME.match(name) is not None
        and ".." not in name
        and _ADDRESS.match(name) is None
        and not name.startswith(_RESERVED_STARTS)
        and not name.endswith(_RESERVED_ENDS)
    )


def copy_source(text: str) -> tuple[str, str, str | None]:
    """Bucket, key and version of a CopySource; what it does not name is empty, or None."""
    path, _, query = text.partition("?")
    bucket, _, key = unquote(path).lstrip("/").partition("/")
    return bucket, key, parse_qs(query).get("versionId", [None])[0]


def after_prefix(prefix: str) -> str | None:
    """The first text, in the order of keys, behind all that begin with the prefix.

    None if nothing is: for the empty prefix, and one of last characters only.
    """
    while prefix:
        code = ord(prefix[-1])
        prefix = prefix[:-1]
        if code < _LAST:
            following = 0xE000 if code == 0xD7FF else code + 1
            return prefix + chr(following)
    return None


def common_prefix(key: str, prefix: str, delimiter: str) -> str | None:
    """What a key is shown as in a listing with a delimiter, or None if as itself."""
    if not delimiter:
        return None
    at = key.find(delimiter, len(prefix))
    return None if at < 0 else key[: at + len(delimiter)]


def first_after(marker: str, prefix: str, delimiter: str) -> str:
    """Where a listing goes on behind a marker that a client gave: a key, or a common prefix."""
    if delimiter and marker.startswith(prefix) and marker.endswith(delimiter):
        return after_prefix(marker) or marker + "\0"
    return marker + "\0"
