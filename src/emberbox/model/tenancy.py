"""Tenant isolation: environments of a function serve one of its tenants each.

Source: "Tenant isolation" of AWS's guide; API reference of Lambda (TenancyConfig, Invoke).
"""

import re
from typing import Final

from emberbox.model.configuration import invalid, validation_error
from emberbox.model.function import FunctionVersion

PER_TENANT: Final = "PER_TENANT"

_TENANT: Final = re.compile(r"[a-zA-Z0-9._:/=+\-@ ]{1,256}\Z")


def check_tenant(function: FunctionVersion, tenant: str | None) -> None:
    """CallerError unless an invocation names a tenant where it must, and only there."""
    if tenant is not None and not _TENANT.match(tenant):
        raise validation_error(
            [
                f"Value '{tenant[:256]}' at 'tenantId' failed to satisfy constraint: Member must "
                r"satisfy regular expression pattern: [a-zA-Z0-9\._:\/=+\-@ ]+"
            ]
        )
    if function.tenant_isolation and tenant is None:
        raise invalid(
            "The invoked function is enabled with tenancy configuration. Add a valid tenant ID in "
            "your request and try again."
        )
    if tenant is not None and not function.tenant_isolation:
        raise invalid(
            "The invoked function is not enabled with tenancy configuration. Remove the tenant ID "
            "from your request and try again."
        )


def check_tenancy(function: FunctionVersion) -> None:
    """CallerError if the function has what tenant isolation does not go together with."""
    if function.tenant_isolation and function.snap_start:
        raise invalid("SnapStart is not supported for functions with tenant isolation.")


def refuse_tenancy(function: FunctionVersion, what: str) -> None:
    """CallerError if a function that isolates tenants is to have what names no tenant."""
    if function.tenant_isolation:
        raise invalid(f"{what} not supported for functions with tenant isolation.")
