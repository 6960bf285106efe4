"""The key that signs messages of topics, in its file."""

import pytest
from cryptography.hazmat.primitives import serialization

from emberbox.services.sns.signing_key import open_key

NOW = 1_700_000_000.0


def test_the_key_is_encrypted_and_stays_the_same(tmp_path):
    """Whoever has the password has it again, and nobody else."""
    path = tmp_path / "sns.pem"
    made = open_key(path, NOW, b"password")

    again = open_key(path, NOW + 1e6, b"password")

    assert b"BEGIN PRIVATE KEY" not in path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0
    assert again.certificate == made.certificate
    assert again.sign(b"text", "2") == made.sign(b"text", "2")
    with pytest.raises(ValueError, match=r"password|decrypt"):
        open_key(path, NOW, b"another")


def test_a_key_that_lies_open_is_encrypted(tmp_path):
    """It stays the key, and its certificate the certificate."""
    path = tmp_path / "sns.pem"
    made = open_key(path, NOW, b"password")
    plain = made.key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(plain + made.certificate)

    again = open_key(path, NOW, b"password")

    assert b"BEGIN ENCRYPTED PRIVATE KEY" in path.read_bytes()
    assert again.certificate == made.certificate
