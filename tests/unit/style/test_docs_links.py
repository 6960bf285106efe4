"""Links in the documentation lead somewhere, and its words are the ones that were agreed on."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "bench").glob("*.md")])
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def anchors(page):
    """Names of the headings of a page, as forges make them."""
    text = _FENCE.sub("", page.read_text("utf-8"))
    words = (re.sub(r"[^\w\- ]", "", heading).strip().lower() for heading in _HEADING.findall(text))
    return {word.replace(" ", "-") for word in words}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(page):
    """Each relative link names a file that exists, and a heading in it if it says one."""
    for target in _LINK.findall(_FENCE.sub("", page.read_text("utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def test_every_page_is_reachable_from_the_contents():
    """docs/README.md leads, directly or over other pages, to every page."""
    start = ROOT / "docs" / "README.md"
    seen, todo = set(), [start]
    while todo:
        page = todo.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        for target in _LINK.findall(page.read_text("utf-8")):
            file = (page.parent / target.partition("#")[0]).resolve()
            if file.is_file() and file.is_relative_to(ROOT / "docs"):
                todo.append(file)

    assert {p for p in PAGES if p.is_relative_to(ROOT / "docs")} == seen
