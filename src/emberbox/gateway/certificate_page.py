"""The page behind SigningCertURL: the certificate that verifies messages of topics."""

from typing import Protocol

from emberbox.gateway.pages import Page, PlainResponse, RequestInfo


class Certified(Protocol):
    """Who has a certificate; it may not be made before it is asked for."""

    @property
    def name(self) -> str:
        """The name of its file."""
        ...

    @property
    def certificate(self) -> bytes:
        """The PEM."""
        ...


def certificate_page(certified: Certified) -> Page:
    """A page that gives out the PEM under its name, and nothing else."""

    async def show(request: RequestInfo) -> PlainResponse:
        name = request.raw_path.rpartition("/")[2]
        if name != certified.name or request.method not in {"GET", "HEAD"}:
            return PlainResponse(404, [("content-type", "text/plain")], b"Not Found")
        headers = [("content-type", "application/x-pem-file")]
        return PlainResponse(200, headers, certified.certificate)

    return show
