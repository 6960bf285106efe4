"""S3's errors, in its words. Source: S3 API reference, "Error responses"."""

from emberbox.errors import CallerError


def no_such_bucket(name: str) -> CallerError:
    """There is no bucket of this name."""
    text = "The specified bucket does not exist"
    return CallerError("NoSuchBucket", text, status=404, fields={"BucketName": name})


def no_such_key(key: str) -> CallerError:
    """There is no object under this key."""
    text = "The specified key does not exist."
    return CallerError("NoSuchKey", text, status=404, fields={"Key": key})


def no_such_version(key: str, version: str) -> CallerError:
    """There is no version of this id."""
    text = "The specified version does not exist."
    fields = {"Key": key, "VersionId": version}
    return CallerError("NoSuchVersion", text, status=404, fields=fields)


def no_such_upload(upload: str) -> CallerError:
    """There is no upload of this id under this key."""
    text = (
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have "
        "been aborted or completed."
    )
    return CallerError("NoSuchUpload", text, status=404, fields={"UploadId": upload})


def failed_condition(condition: str) -> CallerError:
    """A condition of the request does not hold."""
    text = "At least one of the pre-conditions you specified did not hold"
    fields = {"Condition": condition}
    return CallerError("PreconditionFailed", text, status=412, fields=fields)


def invalid_argument(text: str, name: str = "", value: str = "") -> CallerError:
    """A value that cannot be; `name` is the parameter's."""
    fields = {"ArgumentName": name, "ArgumentValue": value} if name else {}
    return CallerError("InvalidArgument", text, status=400, fields=fields)


def invalid_request(text: str) -> CallerError:
    """A request that has no sense as a whole."""
    return CallerError("InvalidRequest", text, status=400)


def malformed_xml() -> CallerError:
    """A document that breaks the schema."""
    text = (
        "The XML you provided was not well-formed or did not validate against our published schema"
    )
    return CallerError("MalformedXML", text, status=400)


def access_denied(text: str = "Access Denied") -> CallerError:
    """Not allowed."""
    return CallerError("AccessDenied", text, status=403)


def not_built(what: str) -> CallerError:
    """A part of S3 that is not built."""
    text = f"Emberbox does not build {what} of S3"
    return CallerError("NotImplemented", text, status=501)
