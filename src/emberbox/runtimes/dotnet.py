"""The .NET runtimes: known, and not carried.

AWS runs them on a client library of its own that is built with each function. The way that works
here is the one AWS documents for .NET versions it does not manage: a self-contained executable
named `bootstrap` on an OS-only runtime.
"""

from emberbox.runtimes.program import Language
from emberbox.runtimes.registry import Family

DOTNET = Language(
    family=Family.DOTNET,
    advice=(
        "Emberbox has no managed .NET runtime. Publish the function as a self-contained executable "
        "named bootstrap (assembly name bootstrap, package Amazon.Lambda.RuntimeSupport; dotnet "
        "publish -c Release -r linux-x64 --self-contained) and create it with the runtime "
        "provided.al2023"
    ),
    find=lambda _search: (),
)
