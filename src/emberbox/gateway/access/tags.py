"""Tags in a request as condition keys, however the request's service spells them.

Source: "Controlling access using tags" of the IAM user guide, and for objects "Tagging and access
control policies" of the S3 user guide.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl

from emberbox.model.request import Params

Pairs = list[tuple[str, str]]

_OBJECT_TAGS_MAX: Final = 50


def tags_context(params: Params) -> dict[str, Sequence[str]]:
    """aws:RequestTag and aws:TagKeys, and what S3 has instead for objects."""
    pairs, keys = _tags(params)
    keys += [key for key, _ in pairs]
    for member in ("TagKeys", "tagKeys"):
        keys += [str(key) for key in params.get(member) or ()]
    found: dict[str, Sequence[str]] = {
        f"aws:requesttag/{key.lower()}": (value,) for key, value in pairs
    }
    if keys:
        found["aws:tagkeys"] = tuple(keys)
    return {**found, **_object_context(params.get("Tagging"), "Key" in params)}


def _tags(params: Params) -> tuple[Pairs, list[str]]:
    """Tags by key and value, and keys that stand alone, as where tags are removed."""
    tags = params.get("Tags") or params.get("tags") or ()
    if not tags:
        tags = (params.get("CreateBucketConfiguration") or {}).get("Tags") or ()
    if isinstance(tags, Mapping):
        return [(str(key), str(value)) for key, value in tags.items()], []
    alone = [tag for tag in tags if isinstance(tag, str)]
    return _pairs(tag for tag in tags if isinstance(tag, Mapping)), alone


def _pairs(tags: Iterable[Mapping[str, Any]]) -> Pairs:
    found = []
    for tag in tags:
        key = tag.get("Key") or tag.get("TagKey") or tag.get("key") or ""
        value = tag.get("Value") or tag.get("TagValue") or tag.get("value") or ""
        found.append((str(key), str(value)))
    return found


def _object_context(tagging: Any, is_object: bool) -> dict[str, Sequence[str]]:
    """s3:RequestObjectTag and s3:RequestObjectTagKeys, from a header or a document."""
    if not tagging or not is_object:
        return {}
    if isinstance(tagging, Mapping):
        pairs = _pairs(tagging.get("TagSet") or ())
    else:
        try:
            pairs = parse_qsl(str(tagging), keep_blank_values=True, max_num_fields=_OBJECT_TAGS_MAX)
        except ValueError:
            return {}
    found: dict[str, Sequence[str]] = {
        f"s3:requestobjecttag/{key.lower()}": (value,) for key, value in pairs
    }
    return found | {"s3:requestobjecttagkeys": tuple(key for key, _ in pairs)}
