"""`make demo`: a server on a fresh data directory, used through the real aws command line.

Prints each command before its output. Ends with status 0 if every step gave what it must, else at
the first step that did not, with status 1.
"""

import base64
import json
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path

from tools.running import StartError, client_environment, start

_HERE = Path(__file__).parent
_ROLE = "arn:aws:iam::123456789012:role/MyLambdaExecutionRole"
_POLICY = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
_NAME = "MyHelloWorldFunction"
_GROUP = f"/aws/lambda/{_NAME}"
_BOLD, _DIM, _PLAIN = ("\033[1m", "\033[2m", "\033[0m") if sys.stdout.isatty() else ("", "", "")


class Unexpected(Exception):  # noqa: N818 - it is the demo's own word
    """A step did not give what it must."""


class Shell:
    """Runs commands in the demo's directory and shows them as a terminal would."""

    def __init__(self, place: Path, environment: Mapping[str, str]) -> None:
        self._place = place
        self._environment = environment
        self.steps = 0

    def aws(self, line: str, *, expect: str = "", status: int = 0) -> str:
        """Run `aws LINE`; the output, which must contain `expect`."""
        return self.run(f"aws {line}", expect=expect, status=status)

    def run(self, line: str, *, expect: str = "", status: int = 0) -> str:
        """Run a command without a shell; the output, which must contain `expect`."""
        print(f"\n{_BOLD}$ {line}{_PLAIN}")
        done = subprocess.run(
            shlex.split(line),
            cwd=self._place,
            env=dict(self._environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        self.show(done.stdout)
        self.steps += 1
        if (done.returncode == 0) != (status == 0):
            raise Unexpected(f"status {done.returncode} of: {line}")
        if expect not in done.stdout:
            raise Unexpected(f"no {expect!r} in the output of: {line}")
        return done.stdout

    def file(self, name: str, *, expect: str) -> str:
        """Show a file as `cat` does; its text, which must contain `expect`."""
        print(f"\n{_BOLD}$ cat {name}{_PLAIN}")
        text = (self._place / name).read_text("utf-8")
        self.show(text)
        if expect not in text:
            raise Unexpected(f"no {expect!r} in {name}: {text}")
        return text

    @staticmethod
    def show(text: str) -> None:
        """Print output, indented a little."""
        for line in text.replace("\r", "\n").splitlines():
            print(f"  {line}")


def chapter(title: str) -> None:
    """Begin a part of the walk-through."""
    print(f"\n{_DIM}{'─' * 78}{_PLAIN}\n{_BOLD}{title}{_PLAIN}")


def roles(shell: Shell) -> None:
    """An execution role, as every tutorial begins."""
    chapter("1. Who am I, and a role for the function")
    shell.aws("sts get-caller-identity", expect="123456789012")
    shell.aws(
        "iam create-role --role-name MyLambdaExecutionRole "
        "--assume-role-policy-document file://trust-policy.json",
        expect=_ROLE,
    )
    shell.aws(f"iam attach-role-policy --role-name MyLambdaExecutionRole --policy-arn {_POLICY}")


def create(shell: Shell, place: Path) -> None:
    """Package and create, for two runtimes."""
    chapter("2. Create the function")
    shell.file("lambda_function.py", expect="def lambda_handler")
    if shutil.which("zip"):
        shell.run("zip function.zip lambda_function.py")
    else:
        shell.run(f"{shlex.quote(sys.executable)} -m zipfile -c function.zip lambda_function.py")
    assert zipfile.is_zipfile(place / "function.zip")
    for name, runtime in ((_NAME, "python3.9"), (f"{_NAME}312", "python3.12")):
        shell.aws(
            f"lambda create-function --function-name {name} --runtime {runtime} "
            f"--role {_ROLE} --handler lambda_function.lambda_handler "
            "--zip-file fileb://function.zip --region us-east-1 "
            '--description "A simple Hello World Lambda function" '
            "--timeout 30 --memory-size 128",
            expect=f'"FunctionName": "{name}"',
        )
    began = time.monotonic()
    shell.aws(f"lambda wait function-active-v2 --function-name {_NAME}")
    if time.monotonic() - began > 10:
        raise Unexpected("the function was not active at once")


def invoke(shell: Shell, place: Path) -> None:
    """Cold, warm, dry, and failing."""
    chapter("3. Invoke it")
    (place / "event.json").write_text('{"name": "Ada"}', "utf-8")
    line = f"lambda invoke --function-name {_NAME} --payload fileb://event.json"
    answer = shell.aws(f"{line} --log-type Tail out.json", expect='"StatusCode": 200')
    shell.file("out.json", expect="Hello, Ada!")
    _log(shell, answer, expect="Init Duration")
    answer = shell.aws(f"{line} --log-type Tail out.json", expect='"StatusCode": 200')
    if "Init Duration" in _log(shell, answer, expect="event:"):
        raise Unexpected("the second invocation was a cold start")
    shell.aws(f"{line} --invocation-type DryRun out.json", expect='"StatusCode": 204')
    shell.aws(f"lambda invoke --function-name {_NAME}312 out.json", expect='"StatusCode": 200')
    shell.file("out.json", expect="Hello, world!")

    (place / "event.json").write_text('{"fail": "on purpose"}', "utf-8")
    answer = shell.aws(f"{line} --log-type Tail out.json", expect='"FunctionError": "Unhandled"')
    shell.file("out.json", expect='"errorType": "ValueError"')
    _log(shell, answer, expect="[ERROR] ValueError: on purpose")


def change(shell: Shell, place: Path) -> None:
    """Look at it, change it, and let it run into its time limit."""
    chapter("4. Look at it and change it")
    shell.aws(
        f"lambda get-function --function-name {_NAME}", expect='"Location": "http://127.0.0.1'
    )
    shell.aws("lambda list-functions --query 'Functions[].FunctionName'", expect=f"{_NAME}312")
    shell.aws(
        f"lambda update-function-configuration --function-name {_NAME} --timeout 1 "
        "--environment Variables={COLOUR=blue}",
        expect='"COLOUR": "blue"',
    )
    shell.aws(f"lambda wait function-updated-v2 --function-name {_NAME}")
    (place / "event.json").write_text('{"sleep": 20}', "utf-8")
    shell.aws(
        f"lambda invoke --function-name {_NAME} --payload fileb://event.json out.json",
        expect='"FunctionError": "Unhandled"',
    )
    shell.file("out.json", expect="Task timed out after 1.00 seconds")

    source = (place / "lambda_function.py").read_text("utf-8").replace("Hello,", "Goodbye,")
    with zipfile.ZipFile(place / "changed.zip", "w") as archive:
        archive.writestr("lambda_function.py", source)
    shell.aws(
        f"lambda update-function-code --function-name {_NAME} --zip-file fileb://changed.zip",
        expect='"CodeSha256"',
    )
    shell.aws(f"lambda wait function-updated-v2 --function-name {_NAME}")
    shell.aws(f"lambda invoke --function-name {_NAME} out.json", expect='"StatusCode": 200')
    shell.file("out.json", expect="Goodbye, world!")


def logs(shell: Shell) -> None:
    """What it has printed."""
    chapter("5. Read what it has logged")
    shell.aws("logs describe-log-groups --query 'logGroups[].logGroupName'", expect=_GROUP)
    streams = shell.aws(
        f"logs describe-log-streams --log-group-name {_GROUP} "
        "--query 'logStreams[].[logStreamName]' --output text",
        expect="[$LATEST]",
    )
    shell.aws(
        f"logs get-log-events --log-group-name {_GROUP} "
        f"--log-stream-name '{streams.split()[0]}' --start-from-head "
        "--query 'events[].[message]' --output text",
        expect="REPORT RequestId:",
    )
    shell.aws(
        f"logs filter-log-events --log-group-name {_GROUP} --filter-pattern ERROR "
        "--query 'events[].[message]' --output text",
        expect="on purpose",
    )
    shell.aws(f"logs put-retention-policy --log-group-name {_GROUP} --retention-in-days 7")
    shell.aws(f"logs delete-log-group --log-group-name {_GROUP}")


def delete(shell: Shell) -> None:
    """And it is gone."""
    chapter("6. Delete it")
    for name in (_NAME, f"{_NAME}312"):
        shell.aws(f"lambda delete-function --function-name {name}")
    shell.aws(
        f"lambda get-function --function-name {_NAME}",
        expect=f"Function not found: arn:aws:lambda:us-east-1:123456789012:function:{_NAME}",
        status=254,
    )


def _log(shell: Shell, answer: str, *, expect: str) -> str:
    """Show the log tail in an answer of `invoke`."""
    text = base64.b64decode(json.loads(answer)["LogResult"]).decode("utf-8")
    print(f"\n{_DIM}  LogResult, decoded:{_PLAIN}")
    shell.show(text)
    if expect not in text:
        raise Unexpected(f"no {expect!r} in the log: {text}")
    return text


def walk(place: Path) -> int:
    """Start a server, take all steps, stop it; the number of commands run."""
    server = start(place / "data", place / "server.log")
    print(f"A server is ready at {server.url} after {server.ready_s:.2f} s.")
    try:
        for name in ("lambda_function.py", "trust-policy.json"):
            shutil.copy(_HERE / name, place / name)
        shell = Shell(place, client_environment(server.url, place))
        roles(shell)
        create(shell, place)
        invoke(shell, place)
        change(shell, place)
        logs(shell)
        delete(shell)
    finally:
        status = server.stop()
    if status != 0:
        raise Unexpected(f"the server ended with status {status}")
    return shell.steps


def main() -> int:
    """Status 1 at the first step that surprises."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="emberbox-demo-") as place:
        try:
            steps = walk(Path(place))
        except (Unexpected, StartError) as error:
            print(f"\nThe demo stopped: {error}", file=sys.stderr)
            log = Path(place) / "server.log"
            if log.exists():
                print(f"The server's log:\n{log.read_text('utf-8')}", file=sys.stderr)
            return 1
    chapter(f"{steps} commands gave what they must, in {time.monotonic() - began:.0f} s.")
    print(
        "The server is stopped and its data directory removed. `make serve` starts one that stays."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
