"""Directories of the server as code, where it allows them."""

import pytest

INVALID = "InvalidParameterValueException"


def hot(directory):
    """Code that is a directory."""
    return {"S3Bucket": "hot-reload", "S3Key": str(directory)}


@pytest.fixture
def place(tmp_path):
    """A directory that may be code."""
    place = tmp_path / "project"
    place.mkdir()
    (place / "app.py").write_text("pass")
    return place


async def test_a_directory_is_code_where_the_server_allows_it(make_api, place):
    """It and all below it; the answer says where the code is."""
    api = make_api(hot_directories=[place])
    (place / "below").mkdir()

    made = await api.create(Code=hot(place / "below"))
    await api.service.close()
    shown = await api("GetFunction", FunctionName="f")

    assert made["CodeSize"] == 0
    assert made["CodeSha256"]
    assert shown["Code"] == {"RepositoryType": "S3", "Location": f"file://{place}/below"}


async def test_without_the_setting_it_is_a_bucket_like_any_other(api, place):
    """One that does not exist."""
    error = await api.refusal(api.create(Code=hot(place)))

    assert "NoSuchBucket" in error.message


async def test_other_places_are_refused(make_api, place, tmp_path):
    """Beside it, above it, by a link, relative, or not there; the error says what to do."""
    api = make_api(hot_directories=[place])
    (tmp_path / "secret").mkdir()
    (place / "link").symlink_to(tmp_path / "secret")

    for key in (tmp_path, tmp_path / "secret", place / "..", place / "link"):
        error = await api.refusal(api.create(Code=hot(key)))
        assert (error.code, "--hot-reload" in error.message) == (INVALID, True)
    for key in ("project", place / "none", place / "app.py"):
        error = await api.refusal(api.create(Code=hot(key)))
        assert error.message.startswith("Hot reload needs the path of a directory")


async def test_it_comes_and_goes_with_the_code(make_api, place):
    """An update to a directory, and back to a package."""
    api = make_api(hot_directories=[place])
    await api.created()

    await api("UpdateFunctionCode", FunctionName="f", **hot(place))
    await api.service.close()
    directory = api.catalog.lookup(*api.key()).source_directory
    back = await api("UpdateFunctionCode", FunctionName="f", ZipFile=api.zipped())

    assert directory == str(place)
    assert api.catalog.lookup(*api.key()).source_directory == ""
    assert back["CodeSize"] > 0


async def test_a_version_does_not_change_so_it_has_no_directory(make_api, place):
    """However it is to be published."""
    api = make_api(hot_directories=[place])
    await api.created(Code=hot(place))

    for call in (
        api("PublishVersion", FunctionName="f"),
        api("UpdateFunctionCode", FunctionName="f", Publish=True, **hot(place)),
        api.create("g", Code=hot(place), Publish=True),
    ):
        error = await api.refusal(call)
        assert error.message.endswith("upload it to publish a version.")
