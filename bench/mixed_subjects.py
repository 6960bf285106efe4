"""The functions of the mixed soak: the same actions in each language that this host has.

An event says what to `do`, and an `n` that must come back. Python's function has an extension, a
process of its own beside the runtime.
"""

import io
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.subjects import ROLE
from emberbox.runtimes.program import BOOTSTRAPS
from tools.building import go_function, rust_function

_PYTHON = """
import os, time

def handler(event, context):
    if event["do"] == "fail":
        raise ValueError("on purpose")
    if event["do"] == "exit":
        os._exit(event["status"])
    if event["do"] == "slow":
        time.sleep(30)
    if event["do"] == "allocate":
        return len(bytearray(b"x") * (1 << 30))
    print("a line")
    return {"n": event["n"]}
"""
_NODEJS = """
exports.handler = async (event) => {
  if (event.do === 'fail') throw new RangeError('on purpose');
  if (event.do === 'exit') process.exit(event.status);
  if (event.do === 'slow') await new Promise((resolve) => setTimeout(resolve, 30000));
  if (event.do === 'allocate') { const held = []; for (;;) held.push(Buffer.alloc(1 << 24, 'x')); }
  console.log('a line');
  return { n: event.n };
};
"""
_RUBY = """
def handler(event:, context:)
  raise ArgumentError, "on purpose" if event["do"] == "fail"
  exit!(event["status"]) if event["do"] == "exit"
  sleep(30) if event["do"] == "slow"
  if event["do"] == "allocate"
    held = []
    loop { held << "x" * (1 << 24) }
  end
  puts "a line"
  { n: event["n"] }
end
"""
_JAVA = """
package example;
import java.util.*;
public class Subject {
    public static Map<String, Object> handle(Map<String, Object> event) throws Exception {
        String action = (String) event.get("do");
        if (action.equals("fail")) throw new IllegalStateException("on purpose");
        if (action.equals("exit")) Runtime.getRuntime().halt(3);
        if (action.equals("slow")) Thread.sleep(30000);
        if (action.equals("allocate")) {
            List<byte[]> held = new ArrayList<>();
            while (true) held.add(new byte[1 << 24]);
        }
        System.out.println("a line");
        return Collections.singletonMap("n", event.get("n"));
    }
}
"""
_SHELL = r"""#!/bin/bash
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"
# Where one of its programs was killed it ends as they did.
end() { kill -KILL $$; }
while true; do
    event=$(curl -sS -D /tmp/headers "$api/invocation/next") || end
    id=$(tr -d '\r' < /tmp/headers | sed -n 's/^Lambda-Runtime-Aws-Request-Id: //Ip')
    [ "$id" ] || end
    case "$event" in
    *fail*) curl -sS "$api/invocation/$id/error" \
        -d '{"errorMessage": "on purpose", "errorType": "Shell.Failed"}' > /dev/null || end ;;
    *exit*) exit 3 ;;
    *slow*) sleep 30 || end ;;
    *) echo "a line"
        curl -sS "$api/invocation/$id/response" -d "$event" > /dev/null || end ;;
    esac
done
"""
_EXTENSION = """#!/bin/bash
api="http://$AWS_LAMBDA_RUNTIME_API/2020-01-01/extension"
curl -sS -D /tmp/registered -H "Lambda-Extension-Name: $(basename "$0")" "$api/register" \
    -d '{"events": ["INVOKE", "SHUTDOWN"]}' > /dev/null
id=$(tr -d '\\r' < /tmp/registered | sed -n 's/^Lambda-Extension-Identifier: //Ip')
while true; do
    event=$(curl -sS -H "Lambda-Extension-Identifier: $id" "$api/event/next") || exit 9
    case "$event" in *SHUTDOWN*) exit 0 ;; esac
done
"""
_LAYER = "mixed-soak"


@dataclass(frozen=True, slots=True)
class Subject:
    """One language's function; `hungry` is what is told of too much memory, None if not tried."""

    name: str
    runtime: str
    handler: str
    needs: str
    files: Callable[[], Mapping[str, str | bytes]]
    memory_mb: int = 128
    hungry: str | None = "signal: killed"
    extended: bool = False

    @property
    def hasty(self) -> str:
        """The name of the same function with little time."""
        return f"{self.name}-hasty"


def _python() -> Mapping[str, str | bytes]:
    return {"subject.py": _PYTHON}


def _nodejs() -> Mapping[str, str | bytes]:
    return {"subject.js": _NODEJS}


def _ruby() -> Mapping[str, str | bytes]:
    return {"subject.rb": _RUBY}


def _java() -> Mapping[str, str | bytes]:
    return {"example/Subject.class": compiled(_JAVA)}


def _shell() -> Mapping[str, str | bytes]:
    return {"bootstrap": _SHELL}


def _go() -> Mapping[str, str | bytes]:
    return {"bootstrap": go_function().read_bytes()}


def _rust() -> Mapping[str, str | bytes]:
    return {"bootstrap": rust_function().read_bytes()}


_OS_ONLY = "provided.al2023"
SUBJECTS = (
    Subject("mixed-python", "python3.12", "subject.handler", "python3", _python),
    Subject("mixed-nodejs", "nodejs22.x", "subject.handler", "node", _nodejs),
    Subject("mixed-ruby", "ruby3.3", "subject.handler", "ruby", _ruby),
    Subject(
        "mixed-java",
        "java21",
        "example.Subject::handle",
        "javac",
        _java,
        memory_mb=256,
        hungry="java.lang.OutOfMemoryError",
    ),
    Subject("mixed-shell", _OS_ONLY, "none", "curl", _shell, hungry=None),
    Subject("mixed-go", _OS_ONLY, "none", "go", _go),
    Subject("mixed-rust", _OS_ONLY, "none", "cargo", _rust),
    Subject("mixed-extended", "python3.12", "subject.handler", "curl", _python, extended=True),
)


def at_hand() -> list[Subject]:
    """Those whose language this host has."""
    return [subject for subject in SUBJECTS if shutil.which(subject.needs)]


def create(client: Any, subject: Subject, *, hasty_s: int) -> None:
    """Make both of its functions and wait until they are Active."""
    layers = [_publish(client)] if subject.extended else []
    for name, timeout_s in ((subject.name, 60), (subject.hasty, hasty_s)):
        client.create_function(
            FunctionName=name,
            Runtime=subject.runtime,
            Role=ROLE,
            Handler=subject.handler,
            Code={"ZipFile": _executable(subject.files())},
            MemorySize=subject.memory_mb,
            Timeout=timeout_s,
            Layers=layers,
        )
        client.get_waiter("function_active_v2").wait(FunctionName=name)


def delete(client: Any, subject: Subject) -> None:
    """Delete both, and the layer."""
    for name in (subject.name, subject.hasty):
        client.delete_function(FunctionName=name)
    if subject.extended:
        for version in client.list_layer_versions(LayerName=_LAYER)["LayerVersions"]:
            client.delete_layer_version(LayerName=_LAYER, VersionNumber=version["Version"])


def _publish(client: Any) -> str:
    content = {"ZipFile": _executable({"extensions/watcher": _EXTENSION})}
    arn: str = client.publish_layer_version(LayerName=_LAYER, Content=content)["LayerVersionArn"]
    return arn


def _executable(files: Mapping[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0))
            entry.external_attr = 0o755 << 16
            archive.writestr(entry, content)
    return out.getvalue()


def compiled(source: str) -> bytes:
    """The class file of a Java class `Subject`."""
    with TemporaryDirectory() as place:
        file = Path(place) / "Subject.java"
        file.write_text(source, "utf-8")
        options = ["--release", "8", "-nowarn", "-sourcepath", str(BOOTSTRAPS / "java")]
        subprocess.run(["javac", *options, "-d", place, str(file)], check=True, capture_output=True)
        return (Path(place) / "example" / "Subject.class").read_bytes()
