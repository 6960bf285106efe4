"""What initialisation leaves in /tmp, put into the image and taken out of it again."""

import json
import subprocess
import sys
from pathlib import Path

BOOTSTRAP = Path(__file__).parents[3] / "src/emberbox/runtimes/bootstrap/python"
PROGRAM = """
import json, os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from emberbox_bootstrap import memory_image, snapstart

os.dup2(os.memfd_create("image"), memory_image.IMAGE_DESCRIPTOR)
snapstart._TMP = sys.argv[2]
packed = snapstart._pack_tmp()
os.lseek(memory_image.IMAGE_DESCRIPTOR, 11, os.SEEK_SET)
snapstart._TMP = sys.argv[3]
snapstart._unpack_tmp()
kept = {str(path.relative_to(sys.argv[3])): path.stat().st_size
        for path in Path(sys.argv[3]).rglob("*")
        if path.is_file()}
position = os.lseek(memory_image.IMAGE_DESCRIPTOR, 0, os.SEEK_CUR)
print(json.dumps({"packed": packed, "kept": kept, "position": position}))
"""


def test_an_image_is_read_by_many_at_once(tmp_path):
    """All have the same open file: its position is neither heeded nor moved."""
    before, after = tmp_path / "before", tmp_path / "after"
    (before / "deep/er").mkdir(parents=True)
    (before / "deep/er/file").write_bytes(b"x" * 3_000_000)
    (before / "small").write_bytes(b"")
    after.mkdir()

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(BOOTSTRAP), str(before), str(after)],
        capture_output=True,
        check=True,
    )

    assert json.loads(done.stdout) == {
        "packed": True,
        "kept": {"deep/er/file": 3_000_000, "small": 0},
        "position": 11,
    }
    assert (after / "deep/er/file").read_bytes() == b"x" * 3_000_000
