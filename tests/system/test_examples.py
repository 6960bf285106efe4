"""The examples run as their pages say, against one server."""

from pathlib import Path

import pytest
from shown_pages import check_page, reader_environment, shell_of

from tools.running import running

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "examples").glob("*/README.md"))


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    """A function that runs commands at the root of the repository."""
    place = tmp_path_factory.mktemp("examples")
    with running(place / "data", place / "log") as server:
        yield shell_of(reader_environment(server, place), ROOT)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_example_does_what_its_page_says(shell, page):
    """What it prints is what its README shows."""
    check_page(page, shell)


def test_every_example_has_a_page_in_the_list():
    """None is left out of the overview."""
    overview = (ROOT / "examples" / "README.md").read_text("utf-8")
    assert len(PAGES) >= 6
    assert all(f"({page.parent.name}/README.md)" in overview for page in PAGES)
