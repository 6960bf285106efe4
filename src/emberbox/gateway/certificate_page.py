"""The page behind SigningCertURL: the certificate that verifies messages of topics."""

from emberbox.gateway.pages import Page, PlainResponse, RequestInfo


def certificate_page(name: str, certificate: bytes) -> Page:
    """A page that gives out the PEM under its name, and nothing else."""

    async def show(request: RequestInfo) -> PlainResponse:
        if request.raw_path.rpartition("/")[2] != name or request.method not in {"GET", "HEAD"}:
            return PlainResponse(404, [("content-type", "text/plain")], b"Not Found")
        return PlainResponse(200, [("content-type", "application/x-pem-file")], certificate)

    return show
