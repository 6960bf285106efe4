"""A client of a function URL that leaves before its function has answered."""

import asyncio

from emberbox.clock import ManualClock
from emberbox.gateway.function_urls import FunctionUrls
from emberbox.gateway.pages import RequestInfo
from emberbox.invoke.frontdoor import InvokeAnswer
from emberbox.model.function_url import PATH, FunctionUrl

ID = "a" * 32
URL = FunctionUrl(ID, "123456789012", "us-east-1", "f", "$LATEST", "NONE", "BUFFERED", None)
REQUEST = RequestInfo("GET", f"{PATH}{ID}/", "", (), b"", "http://127.0.0.1:1", "127.0.0.1", "id")


class Anybody:
    """Lets everybody in."""

    async def admit(self, _url, _request):
        return None


class Busy:
    """An environment that is idle, and answers when it is told to."""

    def begin(self, _request, done):
        self.done = done
        return True


async def test_an_answer_that_nobody_waits_for_breaks_nothing():
    """The environment that gives it accounts for the invocation, and goes on."""
    front_door, counted = Busy(), []
    urls = FunctionUrls(
        {ID: URL}.get, Anybody(), front_door, ManualClock(), lambda *each: counted.append(each)
    )
    serving = asyncio.ensure_future(urls.serve(REQUEST))
    await asyncio.sleep(0)

    serving.cancel()
    await asyncio.wait([serving])
    front_door.done(InvokeAnswer(200, b"{}"))

    assert serving.cancelled()
    assert counted == []
