"""Functions, versions, aliases, and what hangs on them, against a small model of the rules.

Whatever is done in whatever order, each thing is there exactly if the model says so; a restart
changes nothing.
"""

import asyncio
import io
import json
import tempfile
import zipfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from emberbox.clock import ManualClock
from emberbox.errors import CallerError
from emberbox.functions.service import FunctionsService
from emberbox.model.request import Reply, RequestContext
from emberbox.storage.catalog import CatalogWriter, FunctionCatalog
from emberbox.storage.database import Database
from emberbox.storage.functions import FunctionStore
from emberbox.storage.packages import PackageStore

ACCOUNT, REGION = "123456789012", "us-east-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
NAMES = st.just("f")
ALIASES = st.just("live")
QUALIFIERS = st.sampled_from([None, "live", "live", "1"])
SIDS = st.sampled_from(["one", "two"])
LATEST = "$LATEST"


class Lives(RuleBasedStateMachine):
    """The service, and beside it what should be there: function -> qualifier -> its things."""

    def __init__(self):
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.model = {}
        self.code = 0

    @initialize()
    def start(self):
        """A server with a function that has a version and an alias."""
        self.loop.run_until_complete(self._start())
        self.create("f")
        self.publish("f")
        self.create_alias("f", "live")

    async def _start(self):
        place = Path(self.folder.name)
        self.database = await Database.open(
            place / "state.db", "state", FunctionsService.queries, durable=False
        )
        writer = CatalogWriter(self.database, FunctionCatalog())
        await FunctionStore(writer).load()
        packages = PackageStore(place / "packages")
        self.service = FunctionsService(writer, packages, clock=ManualClock(), secret=b"secret")
        await self.service.resources.load()
        await self.service.recover()

    async def _stop(self):
        await self.service.close()
        await self.database.close()

    def call(self, operation, **params):
        """The answer, or the code of the error; all that is under way has ended then."""

        async def run():
            context = RequestContext(
                ACCOUNT, REGION, "id", "lambda", operation, "AKIA", "http://127.0.0.1"
            )
            try:
                answer = await self.service.operations[operation](context, params)
            except CallerError as error:
                return error.code
            finally:
                await self.service.close()
            return answer.output if isinstance(answer, Reply) else answer

        return self.loop.run_until_complete(run())

    def expect(self, answer, *, is_there):
        """That it went well exactly if what it was for is there."""
        assert isinstance(answer, dict) is is_there, answer

    def qualifiers(self, name):
        """What the model has of a function."""
        return self.model.get(name, {})

    @rule(name=NAMES)
    def create(self, name):
        """Create a function."""
        from_zip = {"ZipFile": zipped(self.next_code())}
        answer = self.call(
            "CreateFunction",
            FunctionName=name,
            Role=ROLE,
            Runtime="python3.12",
            Handler="app.handler",
            Code=from_zip,
        )
        self.expect(answer, is_there=name not in self.model)
        self.model.setdefault(name, {LATEST: new_things()})

    @rule(name=NAMES)
    def delete(self, name):
        """Delete a function with all it has."""
        answer = self.call("DeleteFunction", FunctionName=name)
        self.expect(answer, is_there=name in self.model)
        self.model.pop(name, None)

    @rule(name=NAMES)
    def publish(self, name):
        """Publish new code."""
        answer = self.call(
            "UpdateFunctionCode",
            FunctionName=name,
            ZipFile=zipped(self.next_code()),
            Publish=True,
        )
        self.expect(answer, is_there=name in self.model)
        if name in self.model:
            self.model[name][answer["Version"]] = new_things()

    @rule(name=NAMES, alias=ALIASES)
    def create_alias(self, name, alias):
        """Name the newest version."""
        versions = [q for q in self.qualifiers(name) if q.isdecimal()]
        newest = max(versions, key=int, default="1")
        answer = self.call("CreateAlias", FunctionName=name, Name=alias, FunctionVersion=newest)
        may = bool(versions) and alias not in self.qualifiers(name)
        self.expect(answer, is_there=may)
        if may:
            self.model[name][alias] = {**new_things(), "version": newest}

    @rule(name=NAMES, alias=ALIASES)
    def delete_alias(self, name, alias):
        """Take a name away."""
        self.call("DeleteAlias", FunctionName=name, Name=alias)
        self.qualifiers(name).pop(alias, None)

    @rule(name=NAMES, data=st.data())
    def delete_version(self, name, data):
        """Delete a version that no alias points at."""
        versions = [q for q in self.qualifiers(name) if q.isdecimal()]
        if not versions:
            return
        version = data.draw(st.sampled_from(sorted(versions)))
        answer = self.call("DeleteFunction", FunctionName=name, Qualifier=version)
        used = any(t.get("version") == version for t in self.model[name].values())
        self.expect(answer, is_there=not used)
        if not used:
            del self.model[name][version]

    @rule(name=NAMES, qualifier=QUALIFIERS, sid=SIDS)
    def add_permission(self, name, qualifier, sid):
        """Add a statement to the policy of a function, a version or an alias."""
        things = self.qualifiers(name).get(qualifier or LATEST)
        answer = self.call(
            "AddPermission",
            FunctionName=name,
            StatementId=sid,
            Action="lambda:InvokeFunction",
            Principal="s3.amazonaws.com",
            **({} if qualifier is None else {"Qualifier": qualifier}),
        )
        self.expect(answer, is_there=things is not None and sid not in things["policy"])
        if things is not None:
            things["policy"].add(sid)

    @rule(name=NAMES, qualifier=QUALIFIERS, sid=SIDS)
    def remove_permission(self, name, qualifier, sid):
        """Remove one."""
        things = self.qualifiers(name).get(qualifier or LATEST)
        answer = self.call(
            "RemovePermission",
            FunctionName=name,
            StatementId=sid,
            **({} if qualifier is None else {"Qualifier": qualifier}),
        )
        self.expect(answer, is_there=things is not None and sid in things["policy"])
        if things is not None:
            things["policy"].discard(sid)

    @rule(name=NAMES, qualifier=QUALIFIERS, retries=st.integers(0, 2))
    def configure_events(self, name, qualifier, retries):
        """Say how often to try again."""
        things = self.qualifiers(name).get(qualifier or LATEST)
        answer = self.call(
            "PutFunctionEventInvokeConfig",
            FunctionName=name,
            MaximumRetryAttempts=retries,
            **({} if qualifier is None else {"Qualifier": qualifier}),
        )
        self.expect(answer, is_there=things is not None)
        if things is not None:
            things["retries"] = retries

    @rule()
    def restart(self):
        """End the server and start another on the same data."""

        async def again():
            await self._stop()
            await self._start()

        self.loop.run_until_complete(again())

    @invariant()
    def everything_is_there(self):
        """Policies and configurations are those of the model."""
        if not hasattr(self, "service"):
            return
        for name in ("f",):
            for qualifier in {LATEST, "1", "live"} | self.qualifiers(name).keys():
                things = self.qualifiers(name).get(qualifier, new_things())
                where = {} if qualifier == LATEST else {"Qualifier": qualifier}
                policy = self.call("GetPolicy", FunctionName=name, **where)
                assert sids(policy) == things["policy"]
                config = self.call("GetFunctionEventInvokeConfig", FunctionName=name, **where)
                found = config.get("MaximumRetryAttempts") if isinstance(config, dict) else None
                assert found == things["retries"]

    def next_code(self):
        """Code that no package had before."""
        self.code += 1
        return f"code = {self.code}"

    def teardown(self):
        """End it."""
        if hasattr(self, "service"):
            self.loop.run_until_complete(self._stop())
        self.loop.close()
        self.folder.cleanup()


def new_things():
    """What hangs on something new: nothing."""
    return {"policy": set(), "retries": None}


def sids(policy):
    """The statement ids of a GetPolicy; none for an error."""
    if not isinstance(policy, dict):
        return set()
    return {statement["Sid"] for statement in json.loads(policy["Policy"])["Statement"]}


def zipped(text):
    """A code package with one file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as package:
        package.writestr("app.py", text)
    return out.getvalue()


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=20, stateful_step_count=30, deadline=None, database=None)
