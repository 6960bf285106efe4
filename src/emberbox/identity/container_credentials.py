"""Credentials that a function fetches when it needs them, instead of finding them in variables.

What is restored from a snapshot must not live on the keys that were good when it was made. So it is
given an address and a token, and AWS's SDKs fetch keys there, again and again.
Source: "Container credential provider" of the AWS SDKs reference guide.
"""

import base64
import hmac
import json
from collections.abc import Mapping

from emberbox.clock import Clock, utc
from emberbox.identity.sessions import Sessions

PATH = "/2021-04-23/credentials"
_MAC_BYTES = 32
_TOKEN_MAX = 2_048


def variables_of_token(endpoint: str, token: str) -> dict[str, str]:
    """The variables that AWS's SDKs find them by; the endpoint as `host:port`."""
    return {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://{endpoint}{PATH}",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": token,
    }


class ContainerCredentials:
    """Tokens that carry who they are for; nothing is stored.

    Keys and tokens are good for `duration_s`.
    """

    def __init__(self, sessions: Sessions, secret: bytes, clock: Clock, *, duration_s: int) -> None:
        self._sessions = sessions
        self._secret = hmac.digest(secret, b"container credentials", "sha256")
        self._clock = clock
        self._duration_s = duration_s

    def token(self, account: str, role: str, session_name: str) -> str:
        """What an environment of that role is given."""
        expires = int(self._clock.now()) + self._duration_s
        body = json.dumps([account, role, session_name, expires]).encode()
        return base64.urlsafe_b64encode(hmac.digest(self._secret, body, "sha256") + body).decode()

    def answer(self, token: str) -> Mapping[str, str] | None:
        """Keys for a token, as SDKs read them; None if it is none of ours or its time is over."""
        try:
            data = base64.b64decode(token[:_TOKEN_MAX], altchars=b"-_", validate=True)
        except ValueError:
            return None
        mac, body = data[:_MAC_BYTES], data[_MAC_BYTES:]
        if not hmac.compare_digest(mac, hmac.digest(self._secret, body, "sha256")):
            return None
        account, role, session_name, expires = json.loads(body)
        if expires < self._clock.now():
            return None
        issued = self._sessions.issue(account, role, session_name, self._duration_s)
        return {
            "AccessKeyId": issued.access_key_id,
            "SecretAccessKey": issued.secret_access_key,
            "Token": issued.session_token,
            "Expiration": f"{utc(issued.expires):%Y-%m-%dT%H:%M:%SZ}",
        }
