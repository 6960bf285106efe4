"""What functions see at /opt: the trees of their layers laid over one another, later ones on top.

A merged tree shares its files with the trees it is made of, by hard links, so that it costs only
its directories. It is made once for each list of layers and removed when no function needs it.
"""

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path


def merge(trees: Sequence[Path], incoming: Path) -> Path:
    """A new directory below `incoming` with all that is in the trees; OSError if it fails.

    No symbolic link is followed. Where a later tree has something else than a directory for a
    directory of an earlier one, or the other way round, the later one counts.
    """
    merged = Path(tempfile.mkdtemp(dir=incoming, prefix="tree-"))
    try:
        for tree in trees:
            _lay_over(tree, merged)
        merged.chmod(0o755)
    except BaseException:
        shutil.rmtree(merged, ignore_errors=True)
        raise
    return merged


def _lay_over(source: Path, target: Path) -> None:
    with os.scandir(source) as entries:
        for entry in entries:
            place = target / entry.name
            if entry.is_dir(follow_symlinks=False):
                if not _is_directory(place):
                    place.unlink(missing_ok=True)
                    place.mkdir()
                    place.chmod(0o755)
                _lay_over(Path(entry.path), place)
            else:
                if _is_directory(place):
                    shutil.rmtree(place)
                else:
                    place.unlink(missing_ok=True)
                os.link(entry.path, place, follow_symlinks=False)


def _is_directory(place: Path) -> bool:
    return place.is_dir() and not place.is_symlink()
