"""An upload by an HTML form, read as far as its file: who has signed it, and what it stands for."""

from collections.abc import Mapping
from typing import Final

from emberbox.errors import CallerError
from emberbox.gateway.body import Receive
from emberbox.gateway.bucket_front import bucket_in
from emberbox.gateway.guard import Guard
from emberbox.gateway.post_form import (
    FormFile,
    FormReader,
    answer,
    as_put,
    check_policy,
    check_signature,
)
from emberbox.gateway.uploads import UPLOAD_MAX_BYTES
from emberbox.gateway.wire import HttpRequest, HttpResponse
from emberbox.identity.callers import Caller
from emberbox.records import dataclass

_TOKEN: Final = "x-amz-security-token"  # noqa: S105 - the name of a field


@dataclass(frozen=True, slots=True)
class Form:
    """A form. `caller` is None for one that nobody has signed, or on a server without a guard."""

    fields: Mapping[str, str]
    put: HttpRequest
    file: FormFile
    caller: Caller | None

    @property
    def credential(self) -> str:
        """The credential that it names."""
        return self.fields.get("x-amz-credential", "")

    def answer(self, response: HttpResponse, endpoint: str) -> HttpResponse:
        """The answer that it asks for, in place of PutObject's."""
        return answer(self.fields, self.put, response, endpoint)


async def read_form(
    receive: Receive, request: HttpRequest, guard: Guard | None, now: float
) -> Form:
    """Read it; CallerError if it is none, or does not keep its policy or its signature."""
    reader = FormReader(receive, request.headers.get("content-type", ""))
    fields = await reader.fields()
    bucket = bucket_in(request)
    put = as_put(fields, bucket, reader.file_name)
    caller = None
    if guard is not None and "policy" in fields:
        caller = await guard.signer_of(fields.get("x-amz-credential", ""), fields.get(_TOKEN, ""))
        check_signature(fields, caller.secret)
    if guard is not None and caller is None and not guard.is_enforced:
        raise CallerError("AccessDenied", "Access Denied", status=403)
    grant = check_policy(fields, bucket, now, UPLOAD_MAX_BYTES)
    return Form(fields, put, FormFile(reader, grant.least, grant.most), caller)
