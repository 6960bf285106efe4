"""Functions, versions, aliases, layers and grants against a small model of their rules.

Any sequence of operations: each is accepted or refused as the model says, and afterwards the lists
show what the model holds.
"""

import asyncio
import tempfile
from contextlib import contextmanager
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from emberbox.clock import ManualClock
from emberbox.errors import CallerError
from emberbox.functions.service import FunctionsService
from emberbox.model.request import Reply, RequestContext
from emberbox.storage.catalog import CatalogWriter, FunctionCatalog
from emberbox.storage.database import Database
from emberbox.storage.packages import PackageStore
from tests.unit.functions.conftest import Api

NAMES = st.sampled_from(["f", "g"])
ALIASES = st.sampled_from(["live", "next"])
LAYERS = st.sampled_from(["l", "m"])
NUMBERS = st.sampled_from(["1", "2", "3"])
TIMEOUTS = st.integers(1, 3)
OTHER = "210987654321"


class Function:
    """What the rules know of a function."""

    def __init__(self):
        self.timeout = 3
        self.layers = ()
        self.versions = {}
        self.aliases = {}
        self.reserved = None


class Rules(RuleBasedStateMachine):
    """One server's worth of functions."""

    def __init__(self):
        super().__init__()
        self.runner = asyncio.Runner()
        self.place = tempfile.TemporaryDirectory()
        self.runner.run(self.open())
        self.functions = {}
        self.numbers = {}
        self.layers = {}
        self.layer_numbers = {}
        self.grants = set()

    async def open(self):
        root = Path(self.place.name)
        self.database = await Database.open(
            root / "state.db", "state", FunctionsService.queries, durable=False
        )
        writer = CatalogWriter(self.database, FunctionCatalog())
        self.service = FunctionsService(
            writer, PackageStore(root / "packages"), clock=ManualClock(), secret=b"s"
        )

    def teardown(self):
        self.runner.run(self.service.close())
        self.runner.run(self.database.close())
        self.runner.close()
        self.place.cleanup()

    def call(self, operation, *, account="123456789012", **params):
        """One operation, and what it has begun."""

        async def do():
            context = RequestContext(
                account, "us-east-1", "id", "lambda", operation, "A", "http://localhost"
            )
            answer = await self.service.operations[operation](context, params)
            await self.service.close()
            return answer.output if isinstance(answer, Reply) else answer

        return self.runner.run(do())

    @contextmanager
    def refused(self, code, *, when):
        """The block is refused with this error if and only if `when`."""
        refusal = None
        try:
            yield
        except CallerError as error:
            refusal = error
        assert (refusal is not None) == when, refusal
        assert refusal is None or refusal.code == code, refusal

    # -- functions and versions ---------------------------------------------------------------

    @rule(name=NAMES, publish=st.booleans())
    def create(self, name, publish):
        exists = name in self.functions
        with self.refused("ResourceConflictException", when=exists):
            made = self.call(
                "CreateFunction",
                FunctionName=name,
                Role="arn:aws:iam::123456789012:role/r",
                Runtime="python3.12",
                Handler="a.b",
                Code={"ZipFile": Api.zipped()},
                Publish=publish,
            )
            self.functions[name] = Function()
            if publish:
                assert made["Version"] == self.published(name)

    def published(self, name):
        """The number that publishing gives now: a new one, unless nothing has changed."""
        function = self.functions[name]
        last = str(self.numbers.get(name, 0))
        if function.versions.get(last) == (function.timeout, function.layers):
            return last
        number = str(self.numbers.get(name, 0) + 1)
        self.numbers[name] = int(number)
        function.versions[number] = (function.timeout, function.layers)
        return number

    @rule(name=NAMES, timeout=TIMEOUTS)
    def update(self, name, timeout):
        with self.refused("ResourceNotFoundException", when=name not in self.functions):
            self.call("UpdateFunctionConfiguration", FunctionName=name, Timeout=timeout)
            self.functions[name].timeout = timeout

    @rule(name=NAMES)
    def publish(self, name):
        with self.refused("ResourceNotFoundException", when=name not in self.functions):
            made = self.call("PublishVersion", FunctionName=name)
            assert made["Version"] == self.published(name)

    @rule(name=NAMES)
    def delete(self, name):
        with self.refused("ResourceNotFoundException", when=name not in self.functions):
            self.call("DeleteFunction", FunctionName=name)
            del self.functions[name]

    @rule(name=NAMES, number=NUMBERS)
    def delete_version(self, name, number):
        function = self.functions.get(name)
        used = function is not None and any(number in to for to in function.aliases.values())
        code = "ResourceConflictException" if used else "ResourceNotFoundException"
        with self.refused(code, when=used or function is None):
            self.call("DeleteFunction", FunctionName=name, Qualifier=number)
            function.versions.pop(number, None)

    # -- aliases ------------------------------------------------------------------------------

    @rule(name=NAMES, alias=ALIASES, number=NUMBERS, other=st.none() | NUMBERS)
    def alias(self, name, alias, number, other):
        """Create it, or move it if it is there."""
        function = self.functions.get(name, Function())
        to = (number,) if other is None else (number, other)
        missing = [each for each in to if each not in function.versions]
        weights = {} if other is None else {other: 0.5}
        code = "ResourceNotFoundException"
        if other == number and number in function.versions:
            missing, code = [number], "InvalidParameterValueException"
        elif other == number and alias in function.aliases:
            code = "InvalidParameterValueException"
        operation = "UpdateAlias" if alias in function.aliases else "CreateAlias"
        with self.refused(code, when=bool(missing)):
            self.call(
                operation,
                FunctionName=name,
                Name=alias,
                FunctionVersion=number,
                RoutingConfig={"AdditionalVersionWeights": weights},
            )
            function.aliases[alias] = to

    @rule(name=NAMES, alias=ALIASES)
    def delete_alias(self, name, alias):
        self.call("DeleteAlias", FunctionName=name, Name=alias)
        if name in self.functions:
            self.functions[name].aliases.pop(alias, None)

    # -- layers -------------------------------------------------------------------------------

    @rule(layer=LAYERS)
    def publish_layer(self, layer):
        made = self.call(
            "PublishLayerVersion", LayerName=layer, Content={"ZipFile": Api.zipped(layer)}
        )
        number = self.layer_numbers[layer] = self.layer_numbers.get(layer, 0) + 1
        self.layers[layer, number] = made["LayerVersionArn"]
        assert made["Version"] == number

    @rule(layer=LAYERS, number=st.integers(1, 3))
    def delete_layer(self, layer, number):
        self.call("DeleteLayerVersion", LayerName=layer, VersionNumber=number)
        self.layers.pop((layer, number), None)
        self.grants.discard((layer, number))

    @rule(name=NAMES, layer=LAYERS, number=st.integers(1, 3))
    def use_layer(self, name, layer, number):
        arn = self.layers.get((layer, number))
        code = "ResourceNotFoundException" if arn else "InvalidParameterValueException"
        asked = f"arn:aws:lambda:us-east-1:123456789012:layer:{layer}:{number}"
        with self.refused(code, when=arn is None or name not in self.functions):
            self.call("UpdateFunctionConfiguration", FunctionName=name, Layers=[asked])
            self.functions[name].layers = (arn,)

    @rule(layer=LAYERS, number=st.integers(1, 3))
    def grant(self, layer, number):
        granted = (layer, number) in self.grants
        code = "ResourceConflictException" if granted else "ResourceNotFoundException"
        with self.refused(code, when=granted or (layer, number) not in self.layers):
            self.call(
                "AddLayerVersionPermission",
                LayerName=layer,
                VersionNumber=number,
                StatementId="s",
                Action="lambda:GetLayerVersion",
                Principal=OTHER,
            )
            self.grants.add((layer, number))

    # -- reserved concurrency -----------------------------------------------------------------

    @rule(name=NAMES, reserved=st.sampled_from([0, 400, 500, 600]))
    def reserve(self, name, reserved):
        others = sum(f.reserved or 0 for n, f in self.functions.items() if n != name)
        too_many = reserved > 0 and others + reserved > 900
        exists = name in self.functions
        code = "InvalidParameterValueException" if exists else "ResourceNotFoundException"
        with self.refused(code, when=too_many or not exists):
            self.call(
                "PutFunctionConcurrency", FunctionName=name, ReservedConcurrentExecutions=reserved
            )
            self.functions[name].reserved = reserved

    # -- what is shown ------------------------------------------------------------------------

    @invariant()
    def functions_are_as_the_model_has_them(self):
        shown = self.call("ListFunctions", FunctionVersion="ALL")["Functions"]
        found = {}
        for each in shown:
            layers = tuple(layer["Arn"] for layer in each.get("Layers", ()))
            found[each["FunctionName"], each["Version"]] = (each["Timeout"], layers)
        expected = {}
        for name, function in self.functions.items():
            expected[name, "$LATEST"] = (function.timeout, function.layers)
            expected.update({(name, n): has for n, has in function.versions.items()})
        assert found == expected

    @invariant()
    def aliases_are_as_the_model_has_them(self):
        for name, function in self.functions.items():
            shown = self.call("ListAliases", FunctionName=name)["Aliases"]
            found = {
                each["Name"]: (
                    each["FunctionVersion"],
                    *each.get("RoutingConfig", {}).get("AdditionalVersionWeights", {}),
                )
                for each in shown
            }
            assert found == function.aliases
            for alias, (version, *_) in function.aliases.items():
                meant = self.call("GetFunctionConfiguration", FunctionName=f"{name}:{alias}")
                assert meant["Version"] == version

    @invariant()
    def layers_are_as_the_model_has_them(self):
        for (layer, number), arn in self.layers.items():
            whole = self.call("GetLayerVersion", LayerName=layer, VersionNumber=number)
            assert whole["LayerVersionArn"] == arn
            denied = (layer, number) not in self.grants
            with self.refused("AccessDeniedException", when=denied):
                self.call("GetLayerVersionByArn", account=OTHER, Arn=arn)

    @invariant()
    def what_is_left_of_concurrency_is_told(self):
        left = self.call("GetAccountSettings")["AccountLimit"]["UnreservedConcurrentExecutions"]
        assert left == 1_000 - sum(f.reserved or 0 for f in self.functions.values())


Rules.TestCase.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)
TestRules = Rules.TestCase
