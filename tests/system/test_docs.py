"""The commands that README, tutorial and guides show are run, and show what the pages say."""

from pathlib import Path

import pytest
from shown_pages import check_page, reader_environment, shell_of

from tools.running import running

ROOT = Path(__file__).parents[2]
PAGES = [
    "README.md",
    "docs/tutorial/first-function.md",
    "docs/how-to/act-on-uploads.md",
    "docs/how-to/bring-a-runtime.md",
    "docs/how-to/call-a-function-over-http.md",
    "docs/how-to/let-events-wake-a-function.md",
    "docs/how-to/feed-a-function-from-a-queue.md",
    "docs/how-to/release-with-versions.md",
    "docs/how-to/trace-calls.md",
    "docs/how-to/watch-a-log.md",
]


@pytest.fixture
def shell(tmp_path):
    """A function that runs commands in one shell, against a server of its own."""
    place, home = tmp_path / "place", tmp_path / "home"
    place.mkdir()
    home.mkdir()
    with running(tmp_path / "data", tmp_path / "log") as server:
        yield shell_of(reader_environment(server, home), place)


@pytest.mark.parametrize("page", PAGES)
def test_page_shows_what_happens(shell, page):
    """Every tested command ends with status 0 and prints what the page shows."""
    check_page(ROOT / page, shell)


def test_pages_have_tested_commands():
    """The marks have not been lost."""
    for page in PAGES:
        assert "<!-- tested" in (ROOT / page).read_text("utf-8")
