"""SnapStart: a template process gives an image of itself, and fresh processes take it up.

The template has run the function's initialisation and its hooks; what takes up its image renews
what must not be the same in two environments, runs the other hooks, and serves.
Source: the pages on SnapStart and its runtime hooks of AWS's guide, and AWS's own Python client.
"""

import ctypes
import json
import os
import random
import sys
import threading

from emberbox_bootstrap import carrying, memory_image, rehearsal
from emberbox_bootstrap.context import learn_environment
from emberbox_bootstrap.failures import report_init
from emberbox_bootstrap.logs import log_failure

INITIALIZATION_TYPE = "snap-start"
_BEFORE_ERROR, _BEFORE_STATUS = "Runtime.BeforeSnapshotError", 64
_AFTER_ERROR, _AFTER_STATUS = "Runtime.AfterRestoreError", 65
_HOOKS = "snapshot_restore_py"
_TMP = "/tmp"
_TMP_AT = 1 << 40


class Beginning:
    """How a template's process is before it runs anything of the function."""

    def __init__(self):
        self.mappings = memory_image.mappings()
        self.actions = carrying.signal_actions()
        self.environment = dict(os.environ)


def take_up(variables):
    """Become the process of the image that this one was given; does not return.

    The variables are for that process.
    """
    try:
        facts = memory_image.read_facts()
        if facts["tmp"]:
            _unpack_tmp()
        carrying.take_up(facts)
        memory_image.resume(json.dumps(variables).encode("utf-8", "surrogateescape"))
    except Exception as error:
        os.write(2, ("%s: %s\n" % (type(error).__name__, error)).encode("utf-8", "replace"))
    os._exit(memory_image.EXIT_BROKEN)


def pass_snapshot(client, connect, beginning, run_one):
    """What stands between initialisation and the first invocation; the client to go on with.

    Without a beginning this process is no template: the hooks run around nothing. `run_one` is how
    an invocation will be run.
    """
    _run_hooks(client, _take_before_hooks, _BEFORE_ERROR, _BEFORE_STATUS, client.init_error)
    if beginning is None:
        client.restore_next()
    else:
        client.restore_next("saving")
        client.close()
        client = _pass_through_image(connect, beginning, run_one)
    _run_hooks(client, _after_hooks, _AFTER_ERROR, _AFTER_STATUS, client.restore_error)
    return client


def _pass_through_image(connect, beginning, run_one):
    verdict = "saved"

    def rehearse():
        variables = json.loads(json.dumps(dict(os.environ)))
        _renew_variables(variables, beginning.environment)
        _renew_randomness()
        learn_environment()
        rehearsal.rehearse(run_one)

    try:
        facts = carrying.look(beginning.actions)
        facts["tmp"] = _pack_tmp()
        text = memory_image.capture(
            memory_image.IMAGE_DESCRIPTOR, beginning.mappings, facts, rehearse
        )
        if text is not None:
            _renew(json.loads(text), beginning.environment)
            return connect()
    except memory_image.UnfitError as error:
        verdict = "unfit: %s" % error
    except Exception as error:
        verdict = "unfit: %s: %s" % (type(error).__name__, error)
    client = connect()
    # The platform ends this process instead of answering.
    client.restore_next(verdict)
    return client


def _renew(environment, before):
    """What two environments must not have in common."""
    _renew_variables(environment, before)
    ctypes.pythonapi.PyOS_AfterFork_Child()
    threading.main_thread()._set_native_id()  # noqa: SLF001 - as its own fork handler does
    _renew_randomness()
    learn_environment()


def _renew_variables(environment, before):
    for name, value in environment.items():
        if before.get(name) != value:
            os.environ[name] = value
    for name in before:
        if name not in environment:
            os.environ.pop(name, None)


def _renew_randomness():
    random.seed()
    ssl = sys.modules.get("_ssl")
    if ssl is not None:
        ssl.RAND_add(os.urandom(64), 64.0)
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()


def _take_before_hooks():
    registry = _registry("get_before_snapshot")
    while registry:
        yield registry.pop()


def _after_hooks():
    return iter(_registry("get_after_restore"))


def _registry(name):
    hooks = sys.modules.get(_HOOKS)
    return getattr(hooks, name)() if hooks is not None else []


def _run_hooks(client, hooks, error_type, status, tell):
    try:
        for function, arguments, keywords in hooks():
            function(*arguments, **keywords)
    except BaseException as error:
        failure = report_init(error)
        log_failure(failure)
        failure.wire_type = error_type
        tell(failure)
        sys.exit(status)


def _pack_tmp():
    """Put what initialisation has left in /tmp into the image; whether there is any."""
    names = os.listdir(_TMP)
    if not names:
        return False
    import tarfile

    with os.fdopen(os.dup(memory_image.IMAGE_DESCRIPTOR), "wb") as out:
        out.seek(_TMP_AT)
        with tarfile.open(fileobj=out, mode="w|") as archive:
            for name in names:
                archive.add(_TMP + "/" + name, name)
    return True


def _unpack_tmp():
    import tarfile

    with tarfile.open(fileobj=_Packed(memory_image.IMAGE_DESCRIPTOR), mode="r|") as archive:
        archive.extraction_filter = lambda member, path: member
        archive.extractall(_TMP)


class _Packed:
    """The part of the image that `_pack_tmp` has written, from its beginning.

    Others take up the image at the same moment by the same open file: its position is not used.
    """

    def __init__(self, descriptor):
        self._descriptor = descriptor
        self._at = _TMP_AT

    def read(self, size):
        data = os.pread(self._descriptor, size, self._at)
        self._at += len(data)
        return data
