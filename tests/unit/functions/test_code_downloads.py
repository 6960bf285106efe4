"""Links to code packages."""

from urllib.parse import urlsplit

import pytest


async def link(api):
    """Path and query of the link that GetFunction gives."""
    await api.created()
    answer = await api("GetFunction", FunctionName="f")
    parts = urlsplit(answer["Code"]["Location"])
    return parts.path, parts.query


async def test_a_link_leads_to_the_zip_file(api):
    """The bytes are those that were uploaded."""
    path, query = await link(api)

    found = api.service.downloads.resolve(path, query)

    assert found.read_bytes() == api.zipped()


async def test_a_link_is_good_for_ten_minutes(api):
    """Not longer."""
    path, query = await link(api)

    api.clock.advance(600)
    assert api.service.downloads.resolve(path, query) is not None
    api.clock.advance(1)
    assert api.service.downloads.resolve(path, query) is None


async def test_a_link_survives_a_restart(api, make_api):
    """The secret belongs to the data directory."""
    path, query = await link(api)

    assert make_api().service.downloads.resolve(path, query) is not None


async def test_a_link_cannot_be_altered(api):
    """Neither its path nor its expiry."""
    path, query = await link(api)
    downloads = api.service.downloads

    assert downloads.resolve(path.replace("/f/", "/g/"), query) is None
    assert downloads.resolve(f"{path[:-64]}{'ab' * 32}", query) is None
    assert downloads.resolve(path, query.replace("expires=1", "expires=2")) is None


@pytest.mark.parametrize(
    "query", ["", "expires=&signature=", "expires=9999999999&signature=é", "a=1&" * 20, "%ff"]
)
async def test_queries_that_are_no_links_are_refused(api, query):
    """Whatever they hold."""
    path, _ = await link(api)

    assert api.service.downloads.resolve(path, query) is None
