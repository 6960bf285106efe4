"""How a process that runs a Python runtime ends: as the interpreter itself would end."""

import atexit
import os
import sys
import threading


def exit_as_python_does(run):
    """Run to the end of a Python program: threads, exit functions, buffers, status."""
    status = 0
    try:
        run()
    except SystemExit as leaving:
        status = leaving.code
        if status is None:
            status = 0
        elif not isinstance(status, int):
            sys.stderr.write("%s\n" % (status,))
            status = 1
    except BaseException as error:
        # The first frame is this one, which is no business of the function's log.
        frames = error.__traceback__.tb_next
        sys.excepthook(type(error), error.with_traceback(frames), frames)
        status = 1
    threading._shutdown()  # noqa: SLF001 - as the interpreter does at its end
    atexit._run_exitfuncs()  # noqa: SLF001 - likewise
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            status = status or 120
    os._exit(status & 0xFF)
