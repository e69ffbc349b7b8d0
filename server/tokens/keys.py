"""The keys of service account tokens: algorithm, id, the public half as a JSON Web Key.

One key signs; others, whose tokens are still about, only verify.
"""

import base64
import hashlib
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
_CURVES = {256: ("ES256", "P-256"), 384: ("ES384", "P-384"), 521: ("ES512", "P-521")}


class SigningKeyError(ValueError):
    """The key file cannot be used; the text says where and why."""


class VerificationKey:
    """An RSA or elliptic-curve public key."""

    def __init__(self, public: PublicKey) -> None:
        self.public = public
        self.algorithm = _algorithm(self.public)
        self.id = key_id(self.public)

    @classmethod
    def read(cls, path: Path) -> "VerificationKey":
        """A public key, or the public half of a private one.

        Raises:
            SigningKeyError: the file cannot be read, or holds no key of a kind that can sign tokens.
        """
        data = _content(path)
        if b"PRIVATE KEY-----" in data:
            return cls(SigningKey.read(path).public)
        try:
            public = serialization.load_pem_public_key(data)
        except ValueError as error:
            raise SigningKeyError(f"{path} holds no public key: {error}") from error
        if not isinstance(public, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
            raise SigningKeyError(f"{path}: only RSA and elliptic-curve keys can sign tokens")
        return cls(public)

    def jwk(self) -> dict[str, Any]:
        """The public key as the issuer publishes it."""
        return {"use": "sig", "kid": self.id, "alg": self.algorithm, **_numbers(self.public)}


class SigningKey(VerificationKey):
    """With the private half."""

    def __init__(self, private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> None:
        super().__init__(private.public_key())
        self.private = private

    @classmethod
    def read(cls, path: Path) -> "SigningKey":
        """
        Raises:
            SigningKeyError: the file cannot be read, or holds no key of a kind that can sign tokens.
        """
        try:
            private = serialization.load_pem_private_key(_content(path), password=None)
        except (ValueError, TypeError) as error:
            raise SigningKeyError(f"{path} holds no private key: {error}") from error
        if not isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
            raise SigningKeyError(f"{path}: only RSA and elliptic-curve keys can sign tokens")
        return cls(private)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SigningKeyError(f"cannot read {path}: {error.strerror}") from error


def key_id(public: PublicKey) -> str:
    """A name of the key from which the key cannot be found: the digest of its DER form."""
    encoded = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64url(hashlib.sha256(encoded).digest())


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _algorithm(public: PublicKey) -> str:
    if isinstance(public, rsa.RSAPublicKey):
        return "RS256"
    if public.curve.key_size not in _CURVES:
        raise SigningKeyError("unknown private key curve, must be 256, 384, or 521")
    return _CURVES[public.curve.key_size][0]


def _numbers(public: PublicKey) -> dict[str, str]:
    if isinstance(public, rsa.RSAPublicKey):
        modulus, exponent = public.public_numbers().n, public.public_numbers().e
        return {"kty": "RSA", "n": _integer(modulus), "e": _integer(exponent)}
    point, size = public.public_numbers(), (public.curve.key_size + 7) // 8
    curve = _CURVES[public.curve.key_size][1]
    return {"kty": "EC", "crv": curve, "x": _integer(point.x, size), "y": _integer(point.y, size)}


def _integer(number: int, size: int = 0) -> str:
    return base64url(number.to_bytes(size or (number.bit_length() + 7) // 8, "big"))
