"""Directories of the host that functions have: the very ones that the server was given."""

import gc
import os
from pathlib import Path

import pytest

from emberbox.errors import PlatformError
from emberbox.isolation.file_systems import FileSystems

ARN = "arn:aws:elasticfilesystem:us-east-1:123456789012:access-point/fsap-0123456789abcdef0"
OWNER, SANDBOX = 54_321, 70_000

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount directories")


@pytest.fixture
def place(tmp_path):
    """A directory of a user, in another of the same user, and one that is nobody else's business.

    Each has a file of its own name.
    """
    for name in ("outer/inner", "secret"):
        found = tmp_path / name
        found.mkdir(parents=True)
        (found / found.name).touch()
        os.chown(found, OWNER, OWNER)
    os.chown(tmp_path / "outer", OWNER, OWNER)
    return tmp_path


def names_in(descriptor):
    return [each.name for each in Path(f"/proc/self/fd/{descriptor}").iterdir()]


async def test_a_link_in_the_place_of_a_directory_leads_nowhere(place):
    """Whoever has the directory around it can put one there, when and as often as they like."""
    file_systems = FileSystems({ARN: place / "outer/inner"})
    (place / "outer/inner").rename(place / "outer/aside")
    (place / "outer/inner").symlink_to(place / "secret")

    mount = await file_systems.mount(ARN, SANDBOX)

    assert names_in(mount) == ["inner"]
    os.close(mount)
    file_systems.close()


async def test_a_directory_that_has_become_roots_is_mounted_no_more(place):
    """Functions would act as root in it."""
    file_systems = FileSystems({ARN: place / "secret"})
    os.chown(place / "secret", 0, 0)

    with pytest.raises(PlatformError, match="belongs to root"):
        await file_systems.mount(ARN, SANDBOX)
    file_systems.close()


@pytest.mark.parametrize(("name", "why"), [("gone", "no directory"), ("outer/inner/inner", "no d")])
def test_what_is_no_directory_is_refused_at_the_start(place, name, why):
    """And what had been opened before it is let go of."""
    gc.collect()  # what other tests left closes its descriptors now, and not in between
    before = len(list(Path("/proc/self/fd").iterdir()))

    with pytest.raises(PlatformError, match=why):
        FileSystems({ARN: place / "secret", ARN + "1": place / name})

    assert len(list(Path("/proc/self/fd").iterdir())) == before
