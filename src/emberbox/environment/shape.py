"""What of a function version its environments are made from."""

from collections.abc import Mapping

from emberbox.model.function import FunctionVersion, State


def same_environment(before: FunctionVersion, after: FunctionVersion) -> bool:
    """Whether environments of the one serve the other: only states or descriptions differ.

    What is Inactive has no environments.
    """
    return _shape(before) == _shape(after)


def _shape(function: FunctionVersion) -> tuple[object, ...]:
    environment: Mapping[str, str] | None = function.environment
    return (
        function.package_id,
        function.layers,
        function.file_system,
        function.runtime,
        function.handler,
        function.role,
        function.memory_mb,
        function.ephemeral_mb,
        function.architecture,
        function.logging,
        None if environment is None else tuple(sorted(environment.items())),
        function.version,
        function.state is State.INACTIVE,
    )
