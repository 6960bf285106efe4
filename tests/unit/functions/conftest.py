"""A function service over a real database and a real package store."""

import io
import zipfile
from dataclasses import dataclass

import pytest

from emberbox.clock import ManualClock
from emberbox.errors import CallerError
from emberbox.functions.service import FunctionsService
from emberbox.model.request import Reply, RequestContext
from emberbox.storage.catalog import CatalogWriter, FunctionCatalog, FunctionKey
from emberbox.storage.database import Database
from emberbox.storage.functions import FunctionStore
from emberbox.storage.packages import PackageStore

ACCOUNT = "123456789012"
REGION = "us-east-1"


@dataclass
class Api:
    """Calls operations as the gateway does, from one account and region."""

    service: FunctionsService
    writer: CatalogWriter
    store: FunctionStore
    catalog: FunctionCatalog
    packages: PackageStore
    database: Database
    clock: ManualClock

    role = f"arn:aws:iam::{ACCOUNT}:role/r"
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:"

    async def __call__(self, operation, *, region=REGION, account=ACCOUNT, **params):
        """The output of an operation, whatever its status."""
        context = RequestContext(
            account, region, "id", "lambda", operation, "AKIA", "http://127.0.0.1:4566"
        )
        answer = await self.service.operations[operation](context, params)
        return answer.output if isinstance(answer, Reply) else answer

    async def create(self, name="f", code="pass", **params):
        """Create a function; the answer to that."""
        given = {
            "FunctionName": name,
            "Role": self.role,
            "Runtime": "python3.12",
            "Handler": "app.handler",
            "Code": {"ZipFile": self.zipped(code)},
            **params,
        }
        wanted = {key: value for key, value in given.items() if value is not None}
        return await self("CreateFunction", **wanted)

    async def created(self, name="f", code="pass", **params):
        """Create a function and wait until it is Active."""
        await self.create(name, code, **params)
        await self.service.close()
        return await self("GetFunctionConfiguration", FunctionName=name)

    @staticmethod
    async def refusal(call):
        """The error that a call ends with."""
        with pytest.raises(CallerError) as caught:
            await call
        return caught.value

    def stuck(self):
        """A store beside the service's: what is written there is not settled."""
        writer = CatalogWriter(self.database, FunctionCatalog())
        return FunctionStore(writer)

    def key(self, name="f"):
        """The key of a function."""
        return FunctionKey(ACCOUNT, REGION, name)

    @staticmethod
    def zipped(text="pass"):
        """A code package with one file."""
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as package:
            package.writestr(zipfile.ZipInfo("app.py", (2024, 1, 1, 0, 0, 0)), text)
        return out.getvalue()


@pytest.fixture
async def database(tmp_path):
    stems = FunctionsService.queries
    database = await Database.open(tmp_path / "state.db", "state", stems, durable=False)
    yield database
    await database.close()


@pytest.fixture
def make_api(database, tmp_path):
    """Makes the service, as a server does at its start."""

    def make(**options):
        catalog = FunctionCatalog()
        writer = CatalogWriter(database, catalog)
        store = FunctionStore(writer)
        packages = PackageStore(tmp_path / "packages")
        clock = ManualClock()
        service = FunctionsService(writer, packages, clock=clock, secret=b"secret", **options)
        return Api(service, writer, store, catalog, packages, database, clock)

    return make


@pytest.fixture
async def api(make_api):
    api = make_api()
    yield api
    await api.service.close()
