"""Checksums of message attributes, against what the SDKs compute."""

from emberbox.model.message_attributes import from_stored, md5_of_attributes, to_stored


def test_the_checksum_of_attributes_is_that_of_the_service():
    """Names sorted; each as length and bytes of name and type, one byte for the kind, the value."""
    attributes = {
        "timestamp": {"DataType": "Number", "StringValue": "1493147359900"},
    }
    # The example is of the documentation of the AWS SDK for Java's checksum test.
    assert md5_of_attributes(attributes) == "235c5c510d26fb653d073faed50ae77c"


def test_attributes_come_back_as_they_were_stored():
    """Text, numbers and bytes."""
    attributes = {
        "a": {"DataType": "String", "StringValue": "ü"},
        "b": {"DataType": "Binary", "BinaryValue": bytes(range(256))},
    }
    assert from_stored(to_stored(attributes)) == attributes
    assert to_stored({}) is None
