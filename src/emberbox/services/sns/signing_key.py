"""The key in its file, the certificate beside it, and signatures by it.

Apart from `signing`, because what it imports is large and most servers sign nothing.
"""

import base64
import datetime
import os
from pathlib import Path
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from emberbox.errors import PlatformError

_KEY_BITS: Final = 2_048
_YEARS: Final = 30
_NAME: Final = "sns.amazonaws.com"
_ENCRYPTED: Final = b"BEGIN ENCRYPTED PRIVATE KEY"


class SigningKey(NamedTuple):
    """An RSA key and its certificate as PEM."""

    key: rsa.RSAPrivateKey
    certificate: bytes

    def sign(self, text: bytes, version: str) -> str:
        """Base64 of the signature: SHA-1 for version 1, SHA-256 for version 2."""
        digest = hashes.SHA256() if version == "2" else hashes.SHA1()  # noqa: S303 - AWS's version 1
        return base64.b64encode(self.key.sign(text, padding.PKCS1v15(), digest)).decode()


def open_key(path: Path, now: float, password: bytes) -> SigningKey:
    """What this file holds, encrypted by the password; made if there is none.

    A key that lies there unencrypted is encrypted.
    """
    if not path.exists():
        key = rsa.generate_private_key(public_exponent=65_537, key_size=_KEY_BITS)
        _write(path, key, _certificate(key, now), password)
    content = path.read_bytes()
    if _ENCRYPTED not in content:
        plain = _rsa(serialization.load_pem_private_key(content, None), path)
        _write(path, plain, x509.load_pem_x509_certificate(content), password)
        content = path.read_bytes()
    key = _rsa(serialization.load_pem_private_key(content, password), path)
    certificate = x509.load_pem_x509_certificate(content)
    return SigningKey(key, certificate.public_bytes(serialization.Encoding.PEM))


def _rsa(key: object, path: Path) -> rsa.RSAPrivateKey:
    if not isinstance(key, rsa.RSAPrivateKey):
        raise PlatformError(f"{path} holds no RSA key")
    return key


def _certificate(key: rsa.RSAPrivateKey, now: float) -> x509.Certificate:
    """Of the key, by itself."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _NAME)])
    begins = datetime.datetime.fromtimestamp(now, datetime.UTC) - datetime.timedelta(days=1)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + datetime.timedelta(days=365 * _YEARS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(_NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )


def _write(
    path: Path, key: rsa.RSAPrivateKey, certificate: x509.Certificate, password: bytes
) -> None:
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(password),
            )
        )
        file.write(certificate.public_bytes(serialization.Encoding.PEM))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
