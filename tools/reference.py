"""Writes the pages of docs/reference that say what the code says: `python -m tools.reference`.

`--check` writes nothing and fails if a page is not what it would write.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import botocore.session
import click

from emberbox.cli.main import main as command_line
from emberbox.functions.service import FunctionsService
from emberbox.model import limits
from emberbox.runtimes.registry import RUNTIMES, Family, Phase
from emberbox.services.autoscaling.service import AutoScalingService
from emberbox.services.cloudwatch.service import CloudWatchService
from emberbox.services.events.service import EventsService
from emberbox.services.iam.service import IamService
from emberbox.services.logs.service import LogsService
from emberbox.services.s3.service import S3Service
from emberbox.services.scheduler.service import SchedulerService
from emberbox.services.sns.service import SnsService
from emberbox.services.sqs.service import SqsService
from emberbox.services.sts.service import StsService
from emberbox.services.xray.service import XRayService
from tools import lambda_operations

REFERENCE = Path(__file__).parent.parent / "docs" / "reference"
_NOTE = "<!-- Written by tools/reference.py: change the code, then run `make docs`. -->"

# What each constant of emberbox.model.limits means, in the order of the page.
LIMITS = {
    "MEMORY_DEFAULT_MB": "memory of a function that says nothing, MB",
    "MEMORY_MIN_MB": "least memory of a function, MB",
    "MEMORY_MAX_MB": "most memory of a function, MB",
    "MEMORY_MB_PER_VCPU": "memory that comes with the time of one whole processor, MB",
    "TIMEOUT_DEFAULT_S": "time limit of a function that says nothing, s",
    "TIMEOUT_MAX_S": "longest time limit, s",
    "INIT_TIMEOUT_S": "time for initialisation before the first invocation, s",
    "INIT_AHEAD_TIMEOUT_S": "the same ahead of need, or the function's timeout if that is more, s",
    "RESTORE_TIMEOUT_S": "time to begin from a snapshot, hooks included, s",
    "EPHEMERAL_DEFAULT_MB": "size of `/tmp` of a function that says nothing, MB",
    "EPHEMERAL_MAX_MB": "largest `/tmp`, MB",
    "ENVIRONMENT_MAX_BYTES": "all environment variables of a function together, bytes",
    "ZIPPED_MAX_BYTES": "a code package as it is uploaded, bytes",
    "UNZIPPED_MAX_BYTES": "a code package unpacked, bytes",
    "PACKAGE_MAX_ENTRIES": "files and directories in a code package",
    "CODE_STORAGE_MAX_BYTES": "all code packages of an account and region, bytes",
    "REQUEST_MAX_BYTES": "a whole request to the Lambda API, bytes",
    "INVOKE_PAYLOAD_MAX_BYTES": "payload of a synchronous invocation, bytes",
    "RESPONSE_PAYLOAD_MAX_BYTES": "its response, bytes",
    "EXTENSIONS_MAX": "extensions of a function",
    "STREAMED_RESPONSE_MAX_BYTES": "its response, if it is streamed, bytes",
    "CLIENT_CONTEXT_MAX_BYTES": "client context, base64 as it is sent, bytes",
    "CONCURRENT_EXECUTIONS": "invocations at the same time in an account and region",
    "REQUESTS_PER_EXECUTION": "synchronous requests in a second, for each execution that may run",
    "NEW_ENVIRONMENTS_AT_ONCE": "new environments of a function at once",
    "NEW_ENVIRONMENTS_PER_S": "and how many more it may have each second after that",
    "PROCESSES_MAX": "processes and threads in an execution environment",
    "FILE_DESCRIPTORS_MAX": "open files of a process in it",
    "LOG_LINE_MAX_BYTES": "one log event; longer lines are split, bytes",
    "LOG_TAIL_BYTES": "end of the log in the answer to `--log-type Tail`, bytes",
    "TAGS_MAX": "tags of a function",
}
# Operations that are answered before they come to a service.
BESIDE = {"lambda": {"Invoke", "InvokeWithResponseStream"}}
# Which of the limits `emberbox serve` can change.
OPTIONS = {
    "CONCURRENT_EXECUTIONS": "--max-concurrency",
    "REQUESTS_PER_EXECUTION": "--request-rate",
    "TIMEOUT_MAX_S": "--max-timeout",
}


def limits_page() -> Iterator[str]:
    """Every limit with its value; an unlisted constant is an error."""
    found = {name for name in vars(limits) if name.isupper()}
    if found != set(LIMITS):
        raise SystemExit(f"limits without a sentence, or the reverse: {found ^ set(LIMITS)}")
    yield "# Limits"
    yield ""
    yield "All of these are enforced."
    yield "The values are AWS's own, but for the number of files, which AWS does not limit."
    yield "`emberbox serve` can change those that name an option."
    yield ""
    yield "| limit | value | option |"
    yield "|---|---:|---|"
    for name, words in LIMITS.items():
        value = f"{getattr(limits, name):,.0f}".replace(",", " ")
        option = f"`{OPTIONS[name]}`" if name in OPTIONS else ""
        yield f"| {words} | {value} | {option} |"


def services() -> list[Any]:
    """The services with nothing behind them: only their operations are looked at."""
    nothing = MagicMock()
    return [
        FunctionsService(nothing, nothing, clock=nothing, secret=b"", concurrency_limit=1),
        IamService(nothing, nothing, nothing, nothing),
        LogsService(nothing, nothing, nothing, nothing),
        CloudWatchService(nothing, nothing, nothing, nothing, nothing),
        SqsService(nothing, nothing),
        SnsService(nothing, nothing, nothing, nothing, nothing, nothing),
        S3Service(nothing, nothing, nothing, is_decided=False),
        EventsService(nothing, nothing, nothing, nothing, nothing),
        SchedulerService(nothing, nothing, nothing),
        StsService(nothing, nothing, nothing, nothing, nothing),
        AutoScalingService(nothing, nothing, nothing, nothing),
        XRayService(nothing, nothing, nothing),
    ]


def operations_page() -> Iterator[str]:
    """Every operation that is built, and how many AWS has."""
    session = botocore.session.Session()
    yield "# Operations"
    yield ""
    yield "What is built of each service, by the names that AWS gives the operations."
    yield "Any other operation of any AWS service is refused with status 501 and an error,"
    yield "`NotImplementedException`, that names it."
    yield "Settings that an operation does not carry are refused too, never stored and ignored:"
    yield "[differences from AWS](differences-from-aws.md) lists them."
    for service in services():
        model = session.get_service_model(service.name)
        known, built = (
            set(model.operation_names),
            set(service.operations) | BESIDE.get(service.name, set()),
        )
        title = model.metadata.get("serviceAbbreviation") or model.metadata["serviceFullName"]
        yield ""
        yield f"## {title}"
        yield ""
        yield f"`{service.name}`: {len(built & known)} of {len(known)} operations."
        yield ""
        for name in sorted(built):
            yield f"- {name}"


def runtimes_page() -> Iterator[str]:
    """The identifiers and what happens with them."""
    yield "# Runtimes"
    yield ""
    yield "Which identifiers a function may be created with, and what runs it here."
    yield "Managed runtimes run on the languages that are installed on the host."
    yield "If the version asked for is not there, the nearest newer one is taken,"
    yield "else the nearest older one."
    yield "Which one it is stands in the function's log when it is not the one asked for,"
    yield "and `emberbox doctor` lists what the host has, and how to get the rest."
    yield "With `emberbox serve --strict-runtimes` such a function is refused instead."
    yield "A language that is missing altogether does not keep a function from being created:"
    yield "its invocations are answered with what to install."
    yield ""
    yield "| identifier | accepted | runs on |"
    yield "|---|---|---|"
    for runtime in RUNTIMES.values():
        if runtime.phase is Phase.RETIRED:
            continue
        words = "" if runtime.phase is Phase.CURRENT else f" ({runtime.phase.value})"
        runs = {
            Family.PROVIDED: "the program `bootstrap` of the package or of a layer",
            Family.DOTNET: "nothing: an invocation says how to publish it for `provided.al2023`",
        }.get(runtime.family, f"{runtime.family.value} of the host")
        yield f"| `{runtime.identifier}` | yes{words} | {runs} |"
    retired = [r for r in RUNTIMES.values() if r.phase is Phase.RETIRED]
    yield ""
    yield "Refused, as AWS refuses them, for new functions and for updates:"
    yield ", ".join(f"`{runtime.identifier}`" for runtime in retired) + "."


def command_page() -> Iterator[str]:
    """The command line as its own help shows it."""
    yield "# The command line"
    yield ""
    yield "As `--help` shows it."
    context = _context(command_line, "emberbox", None)
    yield from _help("emberbox", command_line, context)
    for name in command_line.list_commands(context):
        command = command_line.get_command(context, name)
        assert command is not None
        yield from _help(f"emberbox {name}", command, _context(command, name, context))


def _context(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    settings = command.context_settings
    return click.Context(command, info_name=name, parent=parent, terminal_width=88, **settings)


def _help(title: str, command: click.Command, context: click.Context) -> Iterator[str]:
    yield ""
    yield f"## {title}"
    yield ""
    yield "```text"
    yield from command.get_help(context).splitlines()
    yield "```"


PAGES = {
    "cli.md": command_page,
    "lambda-operations.md": lambda_operations.page,
    "limits.md": limits_page,
    "operations.md": operations_page,
    "runtimes.md": runtimes_page,
}


def main() -> int:
    """Write the pages, or compare them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = []
    for name, page in PAGES.items():
        path = REFERENCE / name
        text = "\n".join([_NOTE, "", *(line.rstrip() for line in page())]) + "\n"
        if path.exists() and path.read_text("utf-8") == text:
            continue
        stale.append(name)
        if not check:
            path.write_text(text, "utf-8")
    if check and stale:
        print(f"stale pages, run `make docs`: {', '.join(stale)}", file=sys.stderr)
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
