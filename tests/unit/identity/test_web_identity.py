"""Tokens of OpenID Connect issuers, with a real issuer on this machine."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from emberbox.identity.web_identity import (
    ExpiredTokenError,
    IssuerError,
    TokenError,
    WebIdentities,
)
from emberbox.storage.identity_records import Provider

RSA = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
EC = ec.generate_private_key(ec.SECP256R1())
OTHER = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


class Issuer:
    """An issuer: its address, and how often it was asked for keys."""

    def __init__(self):
        issuer = self
        issuer.asked = 0

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.asked += self.path == "/keys"
                found = issuer.documents.get(self.path)
                self.send_response(200 if found is not None else 404)
                self.end_headers()
                self.wfile.write(json.dumps(found).encode())

            def log_message(self, *arguments):
                del arguments

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"127.0.0.1:{self._server.server_port}"
        keys = [
            {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(RSA.public_key())), "kid": "rsa"},
            {**json.loads(jwt.algorithms.ECAlgorithm.to_jwk(EC.public_key())), "kid": "ec"},
            {"kty": "strange", "kid": "strange"},
        ]
        where = f"http://{self.url}/keys"
        self.documents = {
            "/.well-known/openid-configuration": {"jwks_uri": where},
            "/keys": {"keys": keys},
        }
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def issuer():
    made = Issuer()
    yield made
    made.close()


@pytest.fixture
def provider(issuer):
    return Provider("123456789012", issuer.url, ("app",), (), 0.0)


def token(provider, clock, key=RSA, kid="rsa", algorithm="RS256", **claims):
    now = int(clock.now())
    whole = {
        "iss": f"http://{provider.url}",
        "sub": "me",
        "aud": "app",
        "iat": now,
        "exp": now + 60,
        **claims,
    }
    present = {name: value for name, value in whole.items() if value is not None}
    return jwt.encode(present, key, algorithm=algorithm, headers={"kid": kid})


@pytest.mark.parametrize(("key", "kid", "algorithm"), [(RSA, "rsa", "RS256"), (EC, "ec", "ES256")])
async def test_tokens_prove_their_claims(provider, clock, key, kid, algorithm):
    """A token that the issuer signed for us tells who its bearer is."""
    tokens = WebIdentities(clock)
    shown = token(provider, clock, key, kid, algorithm)
    assert tokens.issuer_of(shown) == provider.url
    found = await tokens.verify(provider, shown)
    assert (found.issuer, found.subject, found.audience) == (provider.url, "me", "app")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"key": OTHER}, TokenError),
        ({"kid": "unknown"}, TokenError),
        ({"kid": "strange"}, TokenError),
        ({"aud": "another"}, TokenError),
        ({"aud": None}, TokenError),
        ({"sub": None}, TokenError),
        ({"exp": None}, TokenError),
        ({"exp": 1}, ExpiredTokenError),
        ({"iat": 9_999_999_999}, TokenError),
        ({"nbf": 9_999_999_999}, TokenError),
        ({"iss": "http://another"}, TokenError),
        ({"key": "secret", "algorithm": "HS256"}, TokenError),
        ({"key": None, "algorithm": "none"}, TokenError),
    ],
)
@pytest.mark.filterwarnings("ignore:The HMAC key")
async def test_tokens_that_prove_nothing(provider, clock, changes, error):
    """Forged, foreign, expired, early and unsigned tokens are refused."""
    with pytest.raises(error):
        await WebIdentities(clock).verify(provider, token(provider, clock, **changes))


async def test_what_is_no_token(provider, clock):
    """Any text is refused as one."""
    for text in ("", "a.b.c", "x" * 5_000, "..", "e30.e30.e30"):
        with pytest.raises(TokenError):
            await WebIdentities(clock).verify(provider, text)


async def test_several_audiences(provider, clock):
    """One that is ours is enough; the authorised party comes first."""
    tokens = WebIdentities(clock)
    found = await tokens.verify(provider, token(provider, clock, aud=["other", "app"]))
    assert found.audience == "app"
    found = await tokens.verify(provider, token(provider, clock, aud="other", azp="app"))
    assert found.audience == "app"


async def test_keys_are_kept_a_while(provider, issuer, clock):
    """An issuer is asked again for an unknown key, but not at every request."""
    tokens = WebIdentities(clock)
    for _ in range(3):
        await tokens.verify(provider, token(provider, clock))
    assert issuer.asked == 1
    for _ in range(3):
        with pytest.raises(TokenError):
            await tokens.verify(provider, token(provider, clock, kid="new"))
    assert issuer.asked == 1
    clock.advance(31)
    with pytest.raises(TokenError):
        await tokens.verify(provider, token(provider, clock, kid="new"))
    assert issuer.asked == 2


@pytest.mark.parametrize(
    "configuration",
    [None, [], {}, {"jwks_uri": "http://example.com/keys"}, {"jwks_uri": "file:///etc/passwd"}],
)
async def test_issuers_that_cannot_be_asked(provider, issuer, clock, configuration):
    """Keys come from https, or from this machine; anything else is refused."""
    issuer.documents["/.well-known/openid-configuration"] = configuration
    with pytest.raises(IssuerError):
        await WebIdentities(clock).verify(provider, token(provider, clock))
