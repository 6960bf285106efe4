"""File systems of functions: access points that stand for directories which the server allows.

Source: "Configuring file system access for Lambda functions" of AWS's guide.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from emberbox.model.configuration import invalid
from emberbox.model.function import FileSystem, FunctionVersion
from emberbox.model.request import Params
from emberbox.storage.catalog import FunctionKey

_NO_NAMES = re.compile(r"/mnt/\.{1,2}\Z")


class AccessPoints:
    """The ARNs that a server has directories for."""

    def __init__(self, arns: Collection[str] = ()) -> None:
        self._arns = frozenset(arns)

    def check(self, key: FunctionKey, params: Params) -> None:
        """CallerError unless a function may have the file systems that a request names."""
        for config in params.get("FileSystemConfigs") or ():
            arn, place = config["Arn"], config["LocalMountPath"]
            if arn.split(":")[3:5] != [key.region, key.account]:
                raise invalid(
                    f"The access point {arn} is of another account or region than the function."
                )
            if arn not in self._arns:
                raise invalid(
                    f"The access point {arn} does not exist. Start the server with "
                    f"--file-system {arn}=DIRECTORY to give functions a directory for it."
                )
            if _NO_NAMES.match(place):
                raise invalid(f"The local mount path {place} is no name of a directory in /mnt.")
            if config.get("S3FilesConfig"):
                raise invalid(
                    "S3FilesConfig needs an Amazon S3 file system, and there is a directory "
                    "behind each access point here: leave it out."
                )


def file_system(configs: Sequence[Mapping[str, Any]]) -> FileSystem | None:
    """The one that is asked for; None for an empty list, which takes it away."""
    return FileSystem(configs[0]["Arn"], configs[0]["LocalMountPath"]) if configs else None


def check_file_system(function: FunctionVersion) -> None:
    """CallerError if the function has a file system and what that does not go together with."""
    if function.file_system is None:
        return
    if not function.is_in_vpc:
        raise invalid(
            "Function must be configured to execute in a VPC to reference access point "
            f"{function.file_system.arn}."
        )
    if function.snap_start:
        raise invalid("File systems are not supported for SnapStart enabled functions.")
