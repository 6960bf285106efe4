"""The codec of each protocol by the name the models give it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from emberbox.gateway.cbor_rpc import CborRpc
from emberbox.gateway.json_rpc import JsonRpc
from emberbox.gateway.query import Query
from emberbox.gateway.rest_json import RestJson
from emberbox.gateway.rest_xml import RestXml
from emberbox.gateway.wire import Codec

CODECS: Final[Mapping[str, Codec]] = MappingProxyType(
    {
        "rest-json": RestJson(),
        "json": JsonRpc(),
        "query": Query(),
        "rest-xml": RestXml(),
        "smithy-rpc-v2-cbor": CborRpc(),
    }
)
