"""The Java runtimes: our bootstrap, compiled once on this host by its JDK.

Looked for: the places of Debian, Fedora and SDKMAN!. Nothing is executed to find them: the file
`release` beside a JDK or JRE tells its version. Any JDK compiles for all of them, for Java 8.
An archive of class data, where it can be made, halves the start of a function.
"""

import os
import re
import shutil
import subprocess
import threading
import zipfile
from collections.abc import Iterable
from functools import partial
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from emberbox.errors import PlatformError
from emberbox.records import dataclass
from emberbox.runtimes.program import BOOTSTRAPS, Language, Program, Search, bind_prefix
from emberbox.runtimes.registry import Family, Version

_PLACES = ("/usr/lib/jvm", "/usr/java", "/opt/java", "/opt/jdk", "/usr/local/lib/jvm")
_MANAGED = (".sdkman/candidates/java/*", ".jdks/*", ".asdf/installs/java/*")
_VERSION = re.compile(r'^JAVA_VERSION="(?:1\.)?((\d+)[^"]*)"', re.MULTILINE)
_SOURCES = BOOTSTRAPS / "java"
_LIBRARY = "/var/runtime/lib"
_JAVA = "/var/lang/bin/java"
_BUILD_S = 120.0
_ARCHIVES_SINCE = (13,)
_BUILDING = threading.Lock()
# In a mount namespace where the jar has the path that it has in a sandbox: an archive is only good
# for that.
_ARCHIVE = """
set -e
mount --bind "$1" /mnt
mount -t tmpfs tmpfs /var
mkdir -p /var/runtime/lib
mount --bind /mnt /var/runtime/lib
exec "$2" -XX:+UseSerialGC -Xlog:disable "-XX:ArchiveClassesAtExit=/var/runtime/lib/$3" \\
    -cp /var/runtime/lib/emberbox.jar emberbox.runtime.Main rehearse
"""


def _homes(home: Path) -> Iterable[Path]:
    for place in _PLACES:
        yield from sorted(Path(place).glob("*"))
    for pattern in _MANAGED:
        yield from sorted(home.glob(pattern))


@dataclass(frozen=True, slots=True)
class _Installed:
    """A JDK or JRE. An archive is good for its full version alone."""

    home: Path
    version: Version
    full_version: str

    @property
    def has_compiler(self) -> bool:
        return os.access(self.home / "bin" / "javac", os.X_OK)

    @property
    def archive(self) -> str:
        return f"java-{self.full_version}.jsa"


def _installed(home: Path) -> dict[Version, _Installed]:
    """By version; of one version a JDK rather than a JRE."""
    found: dict[Version, _Installed] = {}
    for place in _homes(home):
        real = place.resolve()
        try:
            told = _VERSION.search((real / "release").read_text("utf-8", "replace"))
        except OSError:
            continue
        if told is None or not os.access(real / "bin" / "java", os.X_OK):
            continue
        java = _Installed(real, (int(told[2]),), told[1])
        known = found.get(java.version)
        if known is None or (java.has_compiler and not known.has_compiler):
            found[java.version] = java
    return found


def _find(search: Search) -> Iterable[Program]:
    installed = _installed(search.home)
    compilers = [java.home for _, java in sorted(installed.items()) if java.has_compiler]
    if not compilers:
        return
    library = search.cache / f"java-{_fingerprint()}"
    for version, java in installed.items():
        yield Program(
            name=f"java{version[0]}",
            family=Family.JAVA,
            version=version,
            zygote=search.zygote,
            command=("/bin/sh", "/var/runtime/bootstrap", java.archive, _JAVA, "/opt"),
            binds=(
                *bind_prefix(str(java.home)),
                *_configuration(java.home),
                (str(_SOURCES / "bootstrap"), "/var/runtime/bootstrap"),
                (str(library), _LIBRARY),
            ),
            links={_JAVA: str(java.home / "bin" / "java")},
            build=partial(_build, compilers[-1], java, library),
        )


def _configuration(home: Path) -> Iterable[tuple[str, str]]:
    """Directories of /etc that a distribution's JDK has links into."""
    for link in sorted((home / "conf").glob("*")) if (home / "conf").is_dir() else ():
        if link.is_symlink() and str(link.resolve()).startswith("/etc/"):
            place = "/".join(str(link.resolve()).split("/")[:3])
            yield place, place
            return


def _fingerprint() -> str:
    digest = sha256()
    for source in sorted(_SOURCES.rglob("*.java")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _build(jdk: Path, java: _Installed, library: Path) -> None:
    """Make the jar and, for this Java, its archive, as far as they are not there."""
    with _BUILDING:
        for old in library.parent.glob("java-*"):
            if old != library:
                shutil.rmtree(old, ignore_errors=True)
        library.mkdir(parents=True, exist_ok=True, mode=0o755)
        # Users of sandboxes come by here where there are no mounts, whatever the server's umask.
        library.parent.chmod(0o711)
        library.chmod(0o755)
        jar = library / "emberbox.jar"
        if not jar.exists():
            _compile(jdk, jar)
        if java.version >= _ARCHIVES_SINCE and not (library / java.archive).exists():
            _archive(java, library)


def _compile(jdk: Path, jar: Path) -> None:
    sources = [str(source) for source in sorted(_SOURCES.rglob("*.java"))]
    with TemporaryDirectory(dir=jar.parent) as place:
        command = [str(jdk / "bin" / "javac"), "--release", "8", "-nowarn", "-d", place, *sources]
        ran = _run(command)
        if ran.returncode:
            raise PlatformError(f"the Java runtime could not be compiled: {ran.stderr[-2000:]}")
        fresh = Path(place) / "fresh.jar"
        with zipfile.ZipFile(fresh, "w", zipfile.ZIP_STORED) as out:
            for compiled in sorted(Path(place).rglob("*.class")):
                out.write(compiled, str(compiled.relative_to(place)))
        fresh.chmod(0o644)
        fresh.replace(jar)


def _archive(java: _Installed, library: Path) -> None:
    """Without namespaces, or without these tools, functions start without one."""
    unshare = ["unshare", "--user", "--map-root-user", "--mount", "/bin/sh", "-c", _ARCHIVE, "sh"]
    fresh = library / f"{java.archive}.new"
    try:
        ran = _run([*unshare, str(library), str(java.home / "bin" / "java"), fresh.name])
    except (OSError, PlatformError):
        return
    if ran.returncode == 0 and fresh.exists():
        fresh.chmod(0o644)
        fresh.replace(library / java.archive)


def _run(command: list[str]) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(  # noqa: S603 - the host's own tools on our own files
            command, capture_output=True, text=True, timeout=_BUILD_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise PlatformError(f"{command[0]} took longer than {_BUILD_S:.0f} s") from error


JAVA = Language(
    family=Family.JAVA,
    advice=(
        "install a JDK, which compiles our part of the runtime once (Debian, Ubuntu: apt install "
        "default-jdk-headless; or sdk install java)"
    ),
    find=_find,
    minimum=(8,),
    # Java reads texts of the environment by it, and the host may not have the locale of LANG.
    variables=lambda _runtime: {"LC_ALL": "C.UTF-8"},
)
