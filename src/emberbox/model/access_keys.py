"""Access key ids: four letters for the kind, then 80 bits in base 32 that name the account.

The layout is AWS's: after one bit come 40 bits of account number, the rest is free. So tools that
read the account out of a key id read it out of ours too.
"""

import base64
import binascii
import re

LONG_TERM = "AKIA"
TEMPORARY = "ASIA"
FREE_BITS = 39

_KEY_ID = re.compile(r"(?:AKIA|ASIA)([A-Z2-7]{16})")


def access_key_id(kind: str, account: str, free: int) -> str:
    """The key id of a kind for an account of twelve digits; `free` fills the free bits."""
    number = 1 << 79 | int(account) << FREE_BITS | free & (1 << FREE_BITS) - 1
    return kind + base64.b32encode(number.to_bytes(10)).decode()


def parse_access_key_id(text: str) -> tuple[str, int] | None:
    """Account and free bits of a key id, None for anything that is none."""
    found = _KEY_ID.fullmatch(text)
    if found is None:
        return None
    try:
        number = int.from_bytes(base64.b32decode(found[1]))
    except binascii.Error:
        return None
    account = number >> FREE_BITS & (1 << 40) - 1
    if account >= 10**12:
        return None
    return f"{account:012d}", number & (1 << FREE_BITS) - 1
