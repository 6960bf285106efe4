"""What tests of services share: a caller, and a check of answers against the service's model."""

from contextlib import AsyncExitStack
from functools import cache

import botocore.loaders
import pytest
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from emberbox.clock import ManualClock
from emberbox.errors import CallerError
from emberbox.model.request import RequestContext
from emberbox.parts.ground import Ground
from emberbox.parts.identity import open_identities
from emberbox.settings import AuthMode, Settings
from emberbox.storage.database import Database

ACCOUNT = "123456789012"
REGION = "us-east-1"
_CALLER = ("account", "region", "access_key", "principal", "leaves")


@cache
def _model(service):
    """Read once: that takes longer than most tests."""
    data = botocore.loaders.Loader().load_service_model(service, "service-2")
    return ServiceModel(data, service)


class Caller:
    """Calls operations of one service as the gateway would, and checks each answer's shape."""

    def __init__(
        self,
        service,
        account=ACCOUNT,
        region=REGION,
        access_key="test",
        principal=None,
        leaves=None,
    ):
        self.principal = principal
        self.leaves = leaves
        self.service = service
        self.account = account
        self.region = region
        self.access_key = access_key
        self._model = _model(service.name)

    def as_(self, **changes):
        """The same service, called by somebody else."""
        mine = {name: getattr(self, name) for name in _CALLER}
        return Caller(self.service, **(mine | changes))

    async def __call__(self, operation, **params):
        """Call an operation; the answer has the members of the model and no others."""
        model = self._model.operation_model(operation)
        if model.input_shape is not None:
            unknown = params.keys() - model.input_shape.members.keys()
            assert not unknown
        context = RequestContext(
            account=self.account,
            region=self.region,
            request_id="r",
            service=self.service.name,
            operation=operation,
            access_key=self.access_key,
            endpoint="http://127.0.0.1:4566",
            principal=self.principal,
            leaves=self.leaves,
        )
        answer = await self.service.operations[operation](context, params)
        if model.output_shape is None:
            assert answer == {}
        else:
            report = ParamValidator().validate(answer, model.output_shape)
            assert not report.has_errors(), report.generate_report()
        return answer

    async def refused(self, operation, **params):
        """Call an operation that is refused: (code, status, message)."""
        with pytest.raises(CallerError) as caught:
            await self(operation, **params)
        return caught.value.code, caught.value.status, caught.value.message


@pytest.fixture
def caller():
    """Makes callers of services."""
    return Caller


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
async def database(tmp_path):
    database = await Database.open(tmp_path / "state.db", "state", ("identities",))
    yield database
    await database.close()


@pytest.fixture
async def people(database, clock, tmp_path):
    """Identities, callers, sessions, and the services over them."""
    async with AsyncExitStack() as stack:
        settings = Settings(tmp_path, auth=AuthMode.OPEN)
        ground = Ground(settings, tmp_path, b"s" * 32, clock, stack)
        yield await open_identities(ground, database)
