"""Layers of Node.js, Ruby, Java and OS-only functions: each looks where AWS has it look."""

import json
import os
from pathlib import Path

import pytest
from languages import JAVA, NODEJS, RUBY, java, package

NODE = """
exports.handler = async (event) => event.modules.map((name) => require(name));
"""
RUBY_SOURCE = """
def handler(event:, context:)
  event["modules"].map { |name| require name; Object.const_get(name.capitalize) }
end
"""
SHELL = r"""#!/bin/bash
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"
while true; do
    curl -sS -D /tmp/headers "$api/invocation/next" > /dev/null
    id=$(tr -d '\r' < /tmp/headers | sed -n 's/^Lambda-Runtime-Aws-Request-Id: //Ip')
    curl -sS "$api/invocation/$id/response" -d "[\"$0\", \"$(tool)\"]" > /dev/null
done
"""


@pytest.fixture
def layer(boto):
    """Publishes a layer of files; its ARN. Gone after the test."""
    made = []

    def make(files):
        name = f"languages-{os.getpid()}-{len(made)}"
        answer = boto.call(
            "lambda", "PublishLayerVersion", LayerName=name, Content={"ZipFile": package(files)}
        )
        made.append((name, answer["Version"]))
        return answer["LayerVersionArn"]

    yield make
    for name, version in made:
        boto.call("lambda", "DeleteLayerVersion", LayerName=name, VersionNumber=version)


def lacking(column):
    reason = column.lacks()
    return pytest.mark.skipif(bool(reason), reason=reason)


@lacking(NODEJS)
def test_node_modules_of_layers_are_found(boto, functions, layer):
    """For all versions and for the function's own; the package's own goes first."""
    modules = layer(
        {
            "nodejs/node_modules/common/index.js": "module.exports = 'common';",
            "nodejs/node22/node_modules/versioned/index.js": "module.exports = 'versioned';",
            "nodejs/node18/node_modules/foreign/index.js": "module.exports = 'foreign';",
            "nodejs/node_modules/both/index.js": "module.exports = 'of the layer';",
        }
    )
    files = {"f.js": NODE, "node_modules/both/index.js": "module.exports = 'of the package';"}
    name = functions("node layers", "nodejs22.x", "f.handler", files, Layers=[modules])

    def required(*names):
        return boto.invoke(name, json.dumps({"modules": names}).encode())

    assert required("common", "versioned", "both").json() == [
        "common",
        "versioned",
        "of the package",
    ]
    assert "Cannot find module 'foreign'" in required("foreign").json()["errorMessage"]


@lacking(RUBY)
def test_ruby_libraries_of_layers_are_found(boto, functions, layer):
    """In ruby/lib, behind the package's own."""
    library = layer(
        {"ruby/lib/common.rb": "Common = 'layer'", "ruby/lib/both.rb": "Both = 'layer'"}
    )
    files = {"f.rb": RUBY_SOURCE, "both.rb": "Both = 'package'"}
    name = functions("ruby layers", "ruby3.3", "f.handler", files, Layers=[library])

    answer = boto.invoke(name, b'{"modules": ["common", "both"]}')

    assert answer.json() == ["layer", "package"]


@lacking(JAVA)
def test_jars_of_layers_are_found(boto, functions, layer):
    """A handler may be in a jar of java/lib altogether."""
    jar = package(java("Actions.java")())
    name = functions(
        "java layers",
        JAVA.runtime,
        "example.Actions",
        {"other.txt": "nothing"},
        Layers=[layer({"java/lib/actions.jar": jar})],
    )

    assert boto.invoke(name, b'{"do": "return"}').json()["count"] == 1


@pytest.mark.skipif(not Path("/usr/bin/curl").exists(), reason="no curl: apt install curl")
def test_a_bootstrap_may_be_in_a_layer(boto, functions, layer):
    """The package's own goes first; programs in bin of a layer are in PATH."""
    program = layer({"bootstrap": SHELL, "bin/tool": "#!/bin/sh\necho found\n"})
    for key, files, place in (
        ("shared bootstrap", {"data.txt": "no program"}, "/opt/bootstrap"),
        ("own bootstrap", {"bootstrap": SHELL}, "/var/task/bootstrap"),
    ):
        name = functions(key, "provided.al2023", "none", files, Layers=[program])
        assert boto.invoke(name, b"{}").json() == [place, "found"]
