"""A client without sockets: raw ASGI calls, and boto3 clients whose requests end in a gateway."""

import asyncio
from urllib.parse import urlsplit

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from emberbox.gateway.app import Gateway

ACCOUNT = "123456789012"
REGION = "eu-west-1"


class FakeService:
    """A service made of plain functions."""

    def __init__(self, name: str, **operations) -> None:
        self.name = name
        self.operations = operations


class Answer:
    """What an ASGI application sent."""

    def __init__(self, messages: list[dict]) -> None:
        self.status = messages[0]["status"]
        self.headers = {name.decode(): value.decode() for name, value in messages[0]["headers"]}
        self.body = b"".join(message.get("body", b"") for message in messages[1:])


def gateway(*services, **options) -> Gateway:
    """A gateway with defaults that no request of these tests names."""
    return Gateway(services, default_account="000000000000", default_region="us-east-1", **options)


def authorization(service: str, access_key: str = ACCOUNT, region: str = REGION) -> str:
    """An Authorization header that is signed in name only."""
    scope = f"{access_key}/20260101/{region}/{service}/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00"


def http_scope(method: str, url: str, headers: dict) -> dict:
    """The ASGI scope of a request."""
    parts = urlsplit(url)
    named = {"host": parts.netloc, **headers}
    return {
        "type": "http",
        "method": method,
        "scheme": parts.scheme,
        "path": parts.path,
        "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(),
        "headers": [
            (name.lower().encode(), value if isinstance(value, bytes) else str(value).encode())
            for name, value in named.items()
        ],
        "client": ("192.0.2.1", 50_000),
        "server": ("127.0.0.1", 4566),
    }


async def call(app, method: str, path: str, headers=None, body=b"") -> Answer:
    """One request; a list as body is sent chunk by chunk."""
    chunks = list(body) if isinstance(body, list) else [body]
    sent: list[dict] = []

    async def receive():
        if not chunks:
            return {"type": "http.disconnect"}
        chunk = chunks.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(chunks)}

    async def send(message):
        sent.append(message)

    await app(http_scope(method, f"http://127.0.0.1:4566{path}", headers or {}), receive, send)
    return Answer(sent)


def client(app: Gateway, service: str, **options):
    """A boto3 client whose requests go straight into the gateway; `.exchanges` are the answers."""
    made = boto3.client(
        service,
        endpoint_url=options.pop("endpoint_url", "http://127.0.0.1:4566"),
        region_name=REGION,
        aws_access_key_id=ACCOUNT,
        aws_secret_access_key="secret",
        config=Config(inject_host_prefix=False, **options),
    )
    made.exchanges = []

    def answer(request, **_):
        answered = asyncio.run(_exchange(app, request))
        made.exchanges.append(answered)
        return AWSResponse(request.url, answered.status, answered.headers, _Raw(answered.body))

    made.meta.events.register("before-send", answer)
    return made


async def _exchange(app, request) -> Answer:
    body = request.body or b""
    body = body.read() if hasattr(body, "read") else body
    body = body.encode() if isinstance(body, str) else body
    parts = urlsplit(request.url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    headers = {"host": parts.netloc, **dict(request.headers.items())}
    return await call(app, request.method, target, headers, body)


class Connection:
    """A client's side that can be cut."""

    def __init__(self) -> None:
        self.sent = []
        self.arrived = asyncio.Event()
        self._inbox = asyncio.Queue()
        self._inbox.put_nowait({"type": "http.request", "body": b"", "more_body": False})

    def cut(self):
        """Leave."""
        self._inbox.put_nowait({"type": "http.disconnect"})

    async def receive(self):
        """ASGI's receive."""
        return await self._inbox.get()

    async def send(self, message):
        """ASGI's send."""
        self.sent.append(message)
        if message.get("body"):
            self.arrived.set()


class _Raw:
    """An answer's body as urllib3 would hold it."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, *_, **__):
        """All of it at once."""
        yield self._body

    def read(self, *_):
        """All of it, once."""
        body, self._body = self._body, b""
        return body
