"""A service that is somewhere else, at AWS or at another server: a client of it.

Calls run in threads of their own, as long as they take: long polls of many queues wait side by
side, and none keeps the server from stopping. Credentials are the server process's own, as AWS
SDKs find them; where there are none, requests are signed with a name that servers for development
accept.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any, Final

from emberbox.errors import CallerError, PlatformError

_NOBODY: Final = "emberbox"
_TOO_MANY: Final = 429
_SERVER_ERROR: Final = 500
_THROTTLED: Final = frozenset(
    {"RequestThrottled", "Throttled", "Throttling", "ThrottlingException", "SlowDown"}
)


class Elsewhere:
    """Calls operations of one service at one URL."""

    def __init__(self, service: str, url: str) -> None:
        self._service = service
        self._url = url
        self._clients: dict[str, Any] = {}
        self._making = threading.Lock()

    async def call(self, region: str, operation: str, **params: Any) -> dict[str, Any]:
        """The answer. CallerError if the service refuses, PlatformError if it may not later."""
        answer: dict[str, Any] = await _in_thread(lambda: self._call(region, operation, params))
        return answer

    async def read(
        self, region: str, operation: str, member: str, limit: int, **params: Any
    ) -> bytes:
        """The first `limit` bytes of a member that is a stream; errors as of `call`."""

        def work() -> bytes:
            from botocore.exceptions import BotoCoreError

            with closing(self._call(region, operation, params)[member]) as stream:
                try:
                    data: bytes = stream.read(limit)
                except (BotoCoreError, OSError) as error:
                    raise self._failure(error) from None
            return data

        found: bytes = await _in_thread(work)
        return found

    def _call(self, region: str, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

        try:
            answer: dict[str, Any] = getattr(self._client(region), operation)(**params)
        except ClientError as error:
            raise _refusal(error.response) from None
        except ParamValidationError as error:
            raise CallerError("InvalidParameterValue", str(error)) from None
        except BotoCoreError as error:
            raise self._failure(error) from None
        except Exception as error:  # noqa: BLE001 - whatever botocore makes of an odd answer
            raise self._failure(error) from None
        return answer

    def _failure(self, error: Exception) -> PlatformError:
        return PlatformError(f"{self._service} at {self._url}: {str(error) or repr(error)}")

    def _client(self, region: str) -> Any:
        with self._making:
            if region not in self._clients:
                self._clients[region] = self._made(region)
            return self._clients[region]

    def _made(self, region: str) -> Any:
        import botocore.session
        from botocore.config import Config

        session = botocore.session.get_session()
        if session.get_credentials() is None:
            session.set_credentials(_NOBODY, _NOBODY)
        config = Config(
            retries={"total_max_attempts": 2},
            connect_timeout=5,
            read_timeout=30,
            max_pool_connections=64,
            proxies={},
            # Few servers but AWS's own have a name for each bucket.
            s3={"addressing_style": "auto" if "amazonaws." in self._url else "path"},
        )
        return session.create_client(
            self._service, region_name=region, endpoint_url=self._url, config=config
        )


def _refusal(response: dict[str, Any]) -> CallerError | PlatformError:
    error = response["Error"]
    status = response["ResponseMetadata"].get("HTTPStatusCode", _SERVER_ERROR)
    code, message = error.get("Code", ""), error.get("Message", "")
    if status >= _SERVER_ERROR or status == _TOO_MANY or code in _THROTTLED:
        return PlatformError(f"{code}: {message}")
    return CallerError(code, message, status=status)


async def _in_thread(work: Callable[[], Any]) -> Any:
    """What the work returns, done in a daemon thread of its own."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def tell(result: Any, error: Exception | None) -> None:
        if future.cancelled():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def run() -> None:
        try:
            told: tuple[Any, Exception | None] = (work(), None)
        except Exception as error:  # noqa: BLE001 - it is raised where the work is awaited
            told = (None, error)
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(tell, *told)

    threading.Thread(target=run, name="elsewhere", daemon=True).start()
    return await future
