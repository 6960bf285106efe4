"""Sample values for any shape of botocore's models: seeded, small, and fit for a protocol."""

import random
from datetime import UTC, datetime, timedelta

from hypothesis import settings

untimed = settings(deadline=None, database=None)
"""For properties: a slow machine is no failure, and nothing is kept between runs."""

TEXTS = ("a", "b c", "x&y<z>", 'quo"te', "ünï-çødé", "naïve/path", "a+b=c%20", "1.5", "true")
DEPTH_MAX = 5
SCALARS = {
    "integer": (0, 1, -5, 2**31 - 1),
    "long": (0, 7, -(2**62), 2**62),
    "float": (0.0, 0.5, -2.25),
    "double": (0.0, 0.1, 1e-9, -123456.789),
    "boolean": (True, False),
    "blob": (b"x", b"\x00\xff binary", b"{}"),
}


class Sampler:
    """Makes values for shapes; `protocol` keeps it from what the protocol cannot carry."""

    def __init__(self, seed: str, protocol: str, *, full: bool) -> None:
        self.random = random.Random(seed)
        self.protocol = protocol
        self.full = full

    def structure(self, shape, depth: int = 0) -> dict:
        """A structure: all members if full, else the required ones and some others."""
        names = list(shape.members)
        if shape.metadata.get("union"):
            names = [self.random.choice(names)]
        found = {}
        for name in names:
            member = shape.members[name]
            needed = name in shape.required_members or shape.metadata.get("union")
            payload = name == shape.serialization.get("payload")
            if depth > DEPTH_MAX and not needed:
                continue
            payload = payload or member.serialization.get("eventpayload")
            if needed or payload or self.full or self.random.random() < 0.5:
                found[name] = self.value(member, depth + 1)
            if self.protocol == "query" and found.get(name) == {}:
                del found[name]
        if not found and self.protocol == "query":
            found.update(self._anything(shape, depth))
        return found

    def _anything(self, shape, depth: int) -> dict:
        """The first member that leaves a trace in a form."""
        for name, member in shape.members.items():
            value = self.value(member, depth + 1)
            if value != {}:
                return {name: value}
        return {}

    def value(self, shape, depth: int):
        """A value for any shape."""
        location = shape.serialization.get("location")
        choices = SCALARS.get(shape.type_name)
        if location == "statusCode":
            return 200
        if choices is not None:
            return self.random.choice(choices)
        make = {
            "structure": lambda: self.structure(shape, depth),
            "list": lambda: self.list(shape, depth, location),
            "map": lambda: self.map(shape, depth, location),
            "string": lambda: self.text(shape, location),
            "timestamp": lambda: self.timestamp(shape, location),
        }
        return make[shape.type_name]()

    def list(self, shape, depth: int, location) -> list:
        """A list, never empty where an empty one leaves no trace."""
        least = 1 if location or shape.serialization.get("flattened") else 0
        size = self.random.randint(least, 2) if depth <= DEPTH_MAX else least
        if location == "header":
            return [self.text(shape.member, "header").replace(",", "") for _ in range(size)]
        return [self.value(shape.member, depth + 1) for _ in range(size)]

    def map(self, shape, depth: int, location) -> dict:
        """A map with distinct keys; header maps have lower-case ones."""
        least = 1 if self.protocol == "query" or shape.serialization.get("flattened") else 0
        least = 1 if location else least
        size = self.random.randint(least, 2) if depth <= DEPTH_MAX else least
        keys = ("k1", "k2") if location else ("key one", "k-2")
        return {key: self.value(shape.value, depth + 1) for key in keys[:size]}

    def text(self, shape, location) -> str:
        """A text; tame ones for headers, labels and host labels."""
        if shape.metadata.get("enum"):
            return self.random.choice(shape.metadata["enum"])
        if shape.serialization.get("hostLabel"):
            return "route-1"
        if location in {"header", "headers"}:
            return self.random.choice(("plain", "with blank", "q=1;v=2"))
        if location == "uri":
            return self.random.choice(("name", "arn:aws:x:y:1:f:n", "a/b c", "100%", "ünï"))
        if location == "querystring":
            return self.random.choice(TEXTS)
        return self.random.choice((*TEXTS, "", "line\nbreak"))

    def timestamp(self, shape, location) -> datetime:
        """A moment: to the second where the format holds no more, else to the millisecond."""
        moment = datetime(2024, 2, 29, 23, 59, 58, tzinfo=UTC) + timedelta(
            days=self.random.randint(-9_000, 9_000)
        )
        if location == "header" or shape.serialization.get("timestampFormat") == "rfc822":
            return moment
        return moment + timedelta(milliseconds=self.random.choice((0, 1, 250, 999)))
