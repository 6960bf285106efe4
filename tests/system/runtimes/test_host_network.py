"""Runtimes that wait for their function also run where sandboxes share the host's network."""

import pytest
from hands import Boto3Hands
from languages import JAVA, NODEJS, PYTHON, RUBY, package
from material import ROLE

from tools.running import running


@pytest.mark.parametrize("column", [PYTHON, NODEJS, RUBY, JAVA], ids=lambda column: column.name)
def test_each_sandbox_has_addresses_of_its_own(tmp_path, column):
    """The Runtime API is not where it usually is, and a runtime learns that when it is needed."""
    if column.lacks():
        pytest.skip(column.lacks())
    with running(tmp_path / "data", tmp_path / "log", "--network", "host") as server:
        boto = Boto3Hands(server.url)
        boto.call(
            "lambda",
            "CreateFunction",
            FunctionName="f",
            Runtime=column.runtime,
            Role=ROLE,
            Handler=column.handler,
            Code={"ZipFile": package(column.files())},
            MemorySize=512,
            Timeout=20,
        )
        boto.wait("lambda", "FunctionActiveV2", FunctionName="f")

        counts = [boto.invoke("f", b'{"do": "return"}').json()["count"] for _ in range(2)]

        boto.close()
    assert counts == [1, 2]
