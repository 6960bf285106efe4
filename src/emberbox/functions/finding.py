"""Whether there is what a request means: the function, and the version or alias of it.

For all operations that take a qualifier. The catalog answers, so that nothing waits for a disk.
"""

from emberbox.functions.references import Target
from emberbox.model.function import FunctionVersion
from emberbox.model.names import LATEST
from emberbox.storage.catalog import FunctionCatalog


def found(catalog: FunctionCatalog, target: Target) -> FunctionVersion:
    """The version that is meant: `$LATEST` without a qualifier, an alias's own version.

    CallerError 404 if there is no such function, version or alias.
    """
    qualifier = target.qualifier or LATEST
    alias = catalog.alias(target.key, qualifier)
    version = catalog.version(target.key, qualifier if alias is None else alias.version)
    if version is None:
        raise target.missing()
    return version


def exists(catalog: FunctionCatalog, target: Target) -> bool:
    """Whether there is such a function, and such a version or alias of it."""
    return catalog.has_qualifier(target.key, target.qualifier or LATEST)
