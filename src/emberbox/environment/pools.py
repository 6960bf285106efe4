"""All pools: one for each function version, or for each tenant of one that keeps tenants apart."""

from collections.abc import Iterator

from emberbox.environment.pool import Pool
from emberbox.model.function import FunctionVersion

_Key = tuple[str, ...]


class Pools:
    """Finds pools by what they serve."""

    def __init__(self) -> None:
        self._by_key: dict[_Key, Pool] = {}
        self._tenants: dict[_Key, dict[str, Pool]] = {}

    def __iter__(self) -> Iterator[Pool]:
        yield from self._by_key.values()
        for pools in self._tenants.values():
            yield from pools.values()

    def find(self, function: FunctionVersion, tenant: str = "") -> Pool | None:
        """The pool for invocations of a version by a tenant, or by nobody in particular."""
        key = (*function.key, function.version)
        if tenant:
            return self._tenants.get(key, {}).get(tenant)
        return self._by_key.get(key)

    def any_of(self, function: FunctionVersion) -> Pool | None:
        """Some pool of a version, if it has any."""
        key = (*function.key, function.version)
        return self._by_key.get(key) or next(iter(self._tenants.get(key, {}).values()), None)

    def add(self, pool: Pool) -> None:
        """One that was not there."""
        key = _key(pool)
        if pool.tenant:
            self._tenants.setdefault(key, {})[pool.tenant] = pool
        else:
            self._by_key[key] = pool

    def take_out(self, function: FunctionVersion) -> list[Pool]:
        """All pools of a version, which are found no more."""
        key = (*function.key, function.version)
        pool = self._by_key.pop(key, None)
        return [*([] if pool is None else [pool]), *self._tenants.pop(key, {}).values()]

    def drop(self, pool: Pool) -> None:
        """Forget a tenant of whom nothing is left: there may be many, once."""
        key = _key(pool)
        pools = self._tenants.get(key, {})
        if pools.get(pool.tenant) is pool:
            del pools[pool.tenant]
            if not pools:
                del self._tenants[key]


def _key(pool: Pool) -> _Key:
    function = pool.plan.function
    return (*function.key, function.version)
