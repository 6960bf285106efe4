#!/usr/bin/env bash
# Makes the virtual environment that the Makefile works in: `tools/setup.sh DIRECTORY`.
# Needs Linux and a Python that can make virtual environments; says what to do where one is missing.
set -euo pipefail

venv=$1
python=${PYTHON:-python3}

refuse() {
    printf 'emberbox: %s\n' "$@" >&2
    exit 1
}

[ "$(uname -s)" = Linux ] ||
    refuse "execution environments are made of Linux namespaces, and this is $(uname -s)" \
        "run it in a Linux machine or virtual machine"

command -v "$python" >/dev/null ||
    refuse "there is no '$python' here" \
        "install Python 3.11 or later, or name one: make PYTHON=/path/to/python3.12 ..."

version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])') ||
    refuse "'$python' does not run" "name one that does: make PYTHON=/path/to/python3.12 ..."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    refuse "'$python' is Python $version; 3.11 or later is needed" \
        "name a newer one: make PYTHON=/path/to/python3.12 ..."

"$python" -c 'import venv, ensurepip' 2>/dev/null ||
    refuse "'$python' (Python $version) cannot make virtual environments: venv or ensurepip is missing" \
        "on Debian or Ubuntu: apt install python$version-venv"

if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    printf 'emberbox: making %s with Python %s\n' "$venv" "$version"
    rm -rf "$venv"
    "$python" -m venv "$venv"
fi

printf 'emberbox: installing what constraints.txt pins\n'
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    --constraint constraints.txt --editable '.[dev,otel]'

# As an installed package is: a start should not compile, where Python is told to write no files.
"$venv/bin/python" -m compileall -q src/emberbox
