"""Models are read from botocore's data, lazily and without its code."""

import subprocess
import sys

import pytest
from gateway_models import CATALOG, botocore_model

from emberbox.gateway.catalog import SERVICES, Catalog, UnknownServiceError, _load
from emberbox.gateway.shapes import UnknownOperationError


def test_a_model_is_read_once():
    """All who ask share it."""
    catalog = Catalog()

    assert catalog.model("sts") is catalog.model("sts")


@pytest.mark.parametrize("service", ["ec2", "../sts", ""])
def test_only_our_services_have_models(service):
    """A name from a request cannot reach another file."""
    with pytest.raises(UnknownServiceError):
        CATALOG.model(service)


def test_an_operation_that_is_none_is_told():
    """By an error of its own."""
    with pytest.raises(UnknownOperationError):
        CATALOG.model("sts").operation("Nothing")


@pytest.mark.parametrize("service", SERVICES)
def test_models_are_the_ones_that_clients_use(service):
    """The newest version, with botocore's amendments."""
    theirs, ours = botocore_model(service), CATALOG.model(service)

    assert ours.operation_names == set(theirs.operation_names)
    assert {shape.name for shape in ours.errors.values()} == {
        shape.name for shape in theirs.error_shapes
    }


def test_models_may_be_packed_or_not(tmp_path):
    """botocore has shipped both."""
    (tmp_path / "service-2.json").write_bytes(b'{"a": 1}')

    assert _load(tmp_path / "service-2.json") == {"a": 1}


def test_the_gateway_starts_without_botocore_s_code():
    """Whose import would take a third of the time a start may take."""
    script = (
        "import sys; from emberbox.gateway.app import Gateway;"
        "Gateway([], default_account='1', default_region='r');"
        "from emberbox.gateway.catalog import Catalog; Catalog().model('lambda');"
        "sys.exit(any(name.partition('.')[0] in ('botocore', 'boto3') for name in sys.modules))"
    )

    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
