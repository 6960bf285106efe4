"""Lists of objects, versions, uploads and parts, a page at a time."""

import base64
import binascii
import json
import sqlite3
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from emberbox.clock import utc
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.model.s3_keys import after_prefix, first_after
from emberbox.services.s3.access import Access
from emberbox.services.s3.acl import owner
from emberbox.services.s3.checksums import members
from emberbox.services.s3.errors import invalid_argument, no_such_upload
from emberbox.storage.s3_objects import ObjectStore
from emberbox.storage.s3_records import Bucket, upload_of, version_of
from emberbox.storage.s3_uploads import UploadMissingError, UploadStore
from emberbox.storage.s3_walking import Place, Walk

_PAGE_MAX: Final = 1_000


class Listing:
    """See the module."""

    def __init__(self, access: Access, objects: ObjectStore, uploads: UploadStore) -> None:
        self._access = access
        self._objects = objects
        self._uploads = uploads

    @property
    def operations(self) -> Mapping[str, Operation]:
        """By their names in the model."""
        return {
            "ListMultipartUploads": self.list_multipart_uploads,
            "ListObjectVersions": self.list_object_versions,
            "ListObjects": self.list_objects,
            "ListObjectsV2": self.list_objects_v2,
            "ListParts": self.list_parts,
        }

    async def list_objects(self, context: RequestContext, params: Params) -> Params:
        """The first version of the list: a marker is a key."""
        bucket = self._access.bucket(context, params)
        prefix, delimiter, most, encode = _asked(params, "MaxKeys")
        marker = params.get("Marker") or ""
        start = first_after(marker, prefix, delimiter) if marker else ""
        found = await self._walk(bucket, prefix, delimiter, start, most)
        output: Params = {
            **_common(bucket, params, found, encode),
            "MaxKeys": most,
            "Marker": encode(marker),
            "Contents": [_object(bucket, row, encode, with_owner=True) for row in found.rows],
        }
        if found.is_truncated and delimiter and found.last is not None:
            output["NextMarker"] = encode(_key(found.last))
        return output

    async def list_objects_v2(self, context: RequestContext, params: Params) -> Params:
        """The second version: a token continues it."""
        bucket = self._access.bucket(context, params)
        prefix, delimiter, most, encode = _asked(params, "MaxKeys")
        token, behind = params.get("ContinuationToken"), params.get("StartAfter") or ""
        if token is not None:
            start = _from_token(token)
        else:
            start = first_after(behind, prefix, "") if behind else ""
        found = await self._walk(bucket, prefix, delimiter, start, most)
        output: Params = {
            **_common(bucket, params, found, encode),
            "MaxKeys": most,
            "KeyCount": found.count,
            "Contents": [
                _object(bucket, row, encode, with_owner=bool(params.get("FetchOwner")))
                for row in found.rows
            ],
        }
        if token is not None:
            output["ContinuationToken"] = token
        if behind:
            output["StartAfter"] = encode(behind)
        if found.is_truncated and found.last is not None:
            output["NextContinuationToken"] = _to_token(_behind(found.last))
        return output

    async def list_object_versions(self, context: RequestContext, params: Params) -> Params:
        """Every version and delete marker."""
        bucket = self._access.bucket(context, params)
        prefix, delimiter, most, encode = _asked(params, "MaxKeys")
        marker, version = params.get("KeyMarker") or "", params.get("VersionIdMarker")
        start = Place(first_after(marker, prefix, delimiter) if marker else "")
        if version and not marker:
            raise invalid_argument("A version-id marker cannot be specified without a key marker.")
        if version:
            at = await self._objects.find(bucket, marker, version)
            start = start if at is None else Place(marker, at.number)
        found = await self._objects.list_versions(bucket, prefix, delimiter, start, most)
        versions = [version_of(row, bucket.id) for row in found.rows]
        output: Params = {
            **_common(bucket, params, found, encode),
            "MaxKeys": most,
            "KeyMarker": encode(marker),
            "VersionIdMarker": version or "",
            "Versions": [
                {
                    **_object(bucket, row, encode, with_owner=True),
                    "VersionId": each.version,
                    "IsLatest": each.is_latest,
                }
                for row, each in zip(found.rows, versions, strict=True)
                if not each.is_marker
            ],
            "DeleteMarkers": [
                {
                    "Key": encode(each.key),
                    "VersionId": each.version,
                    "IsLatest": each.is_latest,
                    "LastModified": utc(int(each.modified)),
                    "Owner": owner(bucket.account),
                }
                for each in versions
                if each.is_marker
            ],
        }
        if found.is_truncated and found.last is not None:
            output["NextKeyMarker"] = encode(_key(found.last))
            if not isinstance(found.last, str):
                output["NextVersionIdMarker"] = found.last["version"]
        return output

    async def list_multipart_uploads(self, context: RequestContext, params: Params) -> Params:
        """Uploads that are not complete."""
        bucket = self._access.bucket(context, params)
        prefix, delimiter, most, encode = _asked(params, "MaxUploads")
        marker, upload = params.get("KeyMarker") or "", params.get("UploadIdMarker") or ""
        start = Place(first_after(marker, prefix, delimiter) if marker else "")
        if marker and upload:
            start = Place(marker, upload)
        found = await self._uploads.list(bucket, prefix, delimiter, start, most)
        output: Params = {
            **_common(bucket, params, found, encode),
            "Bucket": bucket.name,
            "MaxUploads": most,
            "KeyMarker": encode(marker),
            "UploadIdMarker": upload if marker else "",
            "Uploads": [_upload(bucket, row, encode) for row in found.rows],
        }
        del output["Name"]
        if found.is_truncated and found.last is not None:
            output["NextKeyMarker"] = encode(_key(found.last))
            if not isinstance(found.last, str):
                output["NextUploadIdMarker"] = found.last["id"]
        return output

    async def list_parts(self, context: RequestContext, params: Params) -> Params:
        """The parts of an upload that have come."""
        bucket = self._access.bucket(context, params)
        key, id_ = params["Key"], params["UploadId"]
        most = _bounded(params.get("MaxParts"), "max-parts")
        marker = int(params.get("PartNumberMarker") or 0)
        try:
            upload = await self._uploads.find(bucket, key, id_)
            parts = await self._uploads.parts(bucket, key, id_, marker, most + 1)
        except UploadMissingError:
            raise no_such_upload(id_) from None
        page = parts[:most]
        who = {"ID": owner(upload.facts["initiator"])["ID"]}
        output: Params = {
            "Bucket": bucket.name,
            "Key": key,
            "UploadId": id_,
            "PartNumberMarker": marker,
            "NextPartNumberMarker": page[-1].number if page else 0,
            "MaxParts": most,
            "IsTruncated": len(parts) > most,
            "Parts": [
                {
                    "PartNumber": part.number,
                    "LastModified": utc(int(part.modified)),
                    "ETag": f'"{part.etag}"',
                    "Size": part.size,
                    **(members(part.checksums) if upload.facts["named"] else {}),
                }
                for part in page
            ],
            "Initiator": who,
            "Owner": owner(bucket.account),
            "StorageClass": upload.facts["class"],
        }
        if upload.facts["named"]:
            output |= {
                "ChecksumAlgorithm": upload.facts["algorithm"],
                "ChecksumType": upload.facts["type"],
            }
        return output

    async def _walk(
        self, bucket: Bucket, prefix: str, delimiter: str, start: str, most: int
    ) -> Walk:
        if not most:
            return Walk()
        return await self._objects.list(bucket, prefix, delimiter, start, most)


class _Encoder:
    """Writes keys as the client has asked: URL-encoded, or as they are."""

    def __init__(self, kind: str | None) -> None:
        if kind not in {None, "url"}:
            raise invalid_argument("Invalid Encoding Method specified in Request", "encoding-type")
        self._is_url = kind == "url"

    def __call__(self, text: str) -> str:
        return quote(text, safe="/-_.*~") if self._is_url else text


def _asked(params: Params, limit: str) -> tuple[str, str, int, _Encoder]:
    """Prefix, delimiter, size of a page and encoding."""
    most = _bounded(params.get(limit), "max-keys")
    encode = _Encoder(params.get("EncodingType"))
    return params.get("Prefix") or "", params.get("Delimiter") or "", most, encode


def _bounded(asked: int | None, name: str) -> int:
    if asked is not None and not 0 <= asked < 1 << 31:
        raise invalid_argument(
            f"Argument {name} must be an integer between 0 and 2147483647", name, str(asked)
        )
    return _PAGE_MAX if asked is None else min(asked, _PAGE_MAX)


def _common(bucket: Bucket, params: Params, found: Walk, encode: _Encoder) -> Params:
    output: Params = {
        "Name": bucket.name,
        "Prefix": encode(params.get("Prefix") or ""),
        "IsTruncated": found.is_truncated,
        "CommonPrefixes": [{"Prefix": encode(each)} for each in found.prefixes],
    }
    if params.get("Delimiter"):
        output["Delimiter"] = encode(params["Delimiter"])
    if params.get("EncodingType"):
        output["EncodingType"] = params["EncodingType"]
    return output


def _object(
    bucket: Bucket, row: sqlite3.Row, encode: _Encoder, *, with_owner: bool
) -> dict[str, Any]:
    facts = json.loads(row["facts"])
    shown: dict[str, Any] = {
        "Key": encode(row["key"]),
        "LastModified": utc(int(row["modified"])),
        "ETag": f'"{row["etag"]}"',
        "Size": row["size"],
        "StorageClass": row["storage_class"],
    }
    if facts.get("checksums"):
        shown["ChecksumAlgorithm"] = list(facts["checksums"])
        shown["ChecksumType"] = facts["checksum_type"]
    if with_owner:
        shown["Owner"] = owner(bucket.account)
    return shown


def _upload(bucket: Bucket, row: sqlite3.Row, encode: _Encoder) -> dict[str, Any]:
    upload = upload_of(row)
    shown: dict[str, Any] = {
        "Key": encode(upload.key),
        "UploadId": upload.id,
        "Initiated": utc(int(upload.begun)),
        "StorageClass": upload.facts["class"],
        "Owner": owner(bucket.account),
        "Initiator": {"ID": owner(upload.facts["initiator"])["ID"]},
    }
    if upload.facts["named"]:
        shown["ChecksumAlgorithm"] = upload.facts["algorithm"]
        shown["ChecksumType"] = upload.facts["type"]
    return shown


def _key(last: str | sqlite3.Row) -> str:
    return last if isinstance(last, str) else str(last["key"])


def _behind(last: str | sqlite3.Row) -> str:
    """Where to go on behind a key or a common prefix."""
    if isinstance(last, str):
        return after_prefix(last) or last + "\0"
    return str(last["key"]) + "\0"


def _to_token(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode()


def _from_token(token: str) -> str:
    try:
        return base64.b64decode(token.encode(), b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise invalid_argument(
            "The continuation token provided is incorrect", "continuation-token"
        ) from None
