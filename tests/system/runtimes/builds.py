"""AWS's own runtime clients, which tests fetch and build: once, into .cache of the project.

What cannot be had is a reason to skip, with the way to get it; with CI set it is a failure.
"""

import os
from functools import cache
from pathlib import Path

import pytest

from tools.building import PROGRAMS, MissingError, built, need


@cache
def node_client() -> Path:
    """A node_modules folder with AWS's runtime client for Node.js, its native part built."""
    for command, package in (
        ("npm", "npm"),
        ("cmake", "cmake"),
        ("autoreconf", "autoconf automake libtool"),
    ):
        need(command, package)
    fetch = ["npm", "install", "--no-audit", "--no-fund", "aws-lambda-ric@3.3.0"]
    return built("node-ric", PROGRAMS / "node-ric", [fetch], "node_modules")


@cache
def java_client() -> Path:
    """A folder of jars: AWS's runtime client for Java and what it needs."""
    need("mvn", "maven")
    fetch = ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=jars"]
    return built("java-ric", PROGRAMS / "java-ric", [fetch], "jars")


def or_skip(build):
    """What it builds; the test is skipped if that cannot be had, unless on CI."""
    try:
        return build()
    except MissingError as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))
