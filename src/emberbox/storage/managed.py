"""Which versions of functions have a capacity provider."""

from emberbox.model.function import FunctionVersion
from emberbox.storage.database import Database
from emberbox.storage.function_rows import function_of


class AttachedVersions:
    """Looks for them; seldom, so it needs no index."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, account: str, region: str, provider_arn: str) -> list[FunctionVersion]:
        """Those of one provider, by function and number, `$LATEST` first."""
        rows = await self._database.read(
            lambda tx: tx.all("functions_managed", account=account, region=region)
        )
        found = [function_of(row, self._database.vault) for row in rows]
        return [each for each in found if _provider(each) == provider_arn]


def _provider(function: FunctionVersion) -> str | None:
    return None if function.managed is None else function.managed.provider_arn
