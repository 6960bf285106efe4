"""Hot reload on a real server: a saved file is in the next answer."""

import pytest
from hands import Boto3Hands
from material import ROLE

from tools.running import running

CODE = """
NAME = "{}"

def handler(event, context):
    return NAME
"""


@pytest.fixture
def project(tmp_path):
    """A directory with code."""
    place = tmp_path / "project"
    place.mkdir()
    (place / "app.py").write_text(CODE.format("first"))
    return place


@pytest.fixture
def hot(tmp_path, project):
    """Hands for a server that allows that directory."""
    options = ("--log-format", "text", "--hot-reload", str(project))
    with running(tmp_path / "data", tmp_path / "log", *options) as server:
        hands = Boto3Hands(server.url)
        yield hands
        hands.close()


def test_a_saved_file_is_in_the_next_answer(hot, project):
    """Each change, without an update; an unchanged directory keeps its environment warm."""
    hot.call(
        "lambda",
        "CreateFunction",
        FunctionName="f",
        Runtime="python3.12",
        Handler="app.handler",
        Role=ROLE,
        Code={"S3Bucket": "hot-reload", "S3Key": str(project)},
    )
    answers = []
    for name in ("first", "second", "third"):
        (project / "app.py").write_text(CODE.format(name))
        first, again = (hot.invoke("f", LogType="Tail") for _ in range(2))
        answers += [first.json(), again]

    assert [answers[n] for n in (0, 2, 4)] == ["first", "second", "third"]
    for warm in (answers[1], answers[3], answers[5]):
        assert "Init Duration" not in warm.log
