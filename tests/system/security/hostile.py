"""The source of the hostile function."""

from pathlib import Path

SOURCE = "\n".join(
    (Path(__file__).parent / name).read_text("utf-8") for name in ("attacker.py", "flooder.py")
)
