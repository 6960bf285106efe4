"""What a request gives as code, and a function with it: a package, an object in S3, a directory."""

import re
from dataclasses import replace
from typing import Final

from emberbox.functions.code import CodeSource
from emberbox.functions.hot_reload import HotDirectories, with_directory
from emberbox.model.configuration import invalid
from emberbox.model.function import CodeObject, FunctionVersion
from emberbox.model.request import Params, RequestContext
from emberbox.records import dataclass
from emberbox.storage.packages import Package, PackageStore

_NO_PACKAGE: Final = Package("", "", 0, 0)
"""What a function from an image or from a directory has for a package."""

_KEY: Final = re.compile(r"arn:aws[a-zA-Z-]*:kms:[a-z0-9-]+:\d{12}:(key|alias)/[a-zA-Z0-9/_-]+\Z")


@dataclass(frozen=True, slots=True)
class GivenCode:
    """Code that is here.

    `directory` and `code_object` are None, and `key_arn` is empty, if the request names none.
    """

    package: Package = _NO_PACKAGE
    directory: str | None = None
    code_object: CodeObject | None = None
    key_arn: str = ""

    def within(self, function: FunctionVersion) -> FunctionVersion:
        """The function with this code, and with nothing of the code that it had."""
        after = replace(
            function,
            package_id=self.package.package_id,
            code_sha256=self.package.code_sha256,
            code_size=self.package.code_size,
            unzipped_size=self.package.unzipped_size,
            code_object=self.code_object,
            source_key_arn=self.key_arn,
        )
        return with_directory(after, self.directory)


class Packaging:
    """Takes code from requests."""

    def __init__(self, packages: PackageStore, source: CodeSource, hot: HotDirectories) -> None:
        self._packages = packages
        self._source = source
        self._hot = hot

    async def given(
        self, context: RequestContext, code: Params, *, is_image: bool = False
    ) -> GivenCode:
        """The code that `Code` or a code update gives; CallerError if it is none.

        A package is stored and unpacked on return. An image is none: its URI is a setting.
        """
        key_arn = code.get("SourceKMSKeyArn") or ""
        if key_arn and not _KEY.match(key_arn):
            raise invalid(f"SourceKMSKeyArn {key_arn} is not the ARN of a KMS key.")
        is_referenced = code.get("S3ObjectStorageMode") == "REFERENCE"
        if is_image:
            if key_arn or is_referenced:
                raise invalid(
                    "SourceKMSKeyArn and S3ObjectStorageMode REFERENCE are of .zip packages: "
                    "leave them out for a function with packageType Image."
                )
            return GivenCode()
        directory = self._hot.asked_for(code)
        if directory is not None:
            if is_referenced:
                raise invalid("A directory for hot reload is no object that could be referenced.")
            return GivenCode(directory=directory, key_arn=key_arn)
        zipped, code_object = await self._source.read(context, code)
        return GivenCode(await self._packages.put(zipped), None, code_object, key_arn)
