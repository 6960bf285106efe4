"""What the end of a runtime process means for the invocation it was serving."""

import signal

from emberbox.isolation.sandbox import Exit
from emberbox.model import invocation as failures
from emberbox.model.invocation import Failure

_NO_PROGRAM = 127
_WORDS = {
    signal.SIGKILL: "killed",
    signal.SIGSEGV: "segmentation fault",
    signal.SIGABRT: "aborted",
    signal.SIGTERM: "terminated",
    signal.SIGBUS: "bus error",
    signal.SIGFPE: "floating point exception",
    signal.SIGILL: "illegal instruction",
}


def exit_failure(
    request_id: str, how: Exit, programs: tuple[str, ...], *, has_begun: bool, memory: bool
) -> Failure:
    """The failure in AWS's words.

    `programs` may be missing in the customer's code if the runtime has not begun to serve;
    `memory` says that the kernel has killed for want of it.
    """
    if how.status == _NO_PROGRAM and programs and not has_begun:
        return failures.entrypoint_missing(request_id, " ".join(programs))
    name = signal_name(how.signal) if how.signal is not None else None
    return failures.exited(request_id, how.status, name, memory=memory and name == "killed")


def exit_words(how: Exit) -> str:
    """How a process has ended, as AWS tells it of extensions."""
    if how.signal is not None:
        return f"signal: {signal_name(how.signal)}"
    return f"exit status {how.status or 0}"


def signal_name(number: int) -> str:
    """As Go prints it, which is how AWS shows it."""
    return _WORDS.get(signal.Signals(number), f"signal {number}") if number < 65 else "unknown"
