"""The cluster's certificate authority, as it signs what others ask for: never another authority."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

BACKDATED = timedelta(minutes=5)
_SHORT = timedelta(hours=8)
"""Lives of certificates that are not cut by the time by which they are backdated."""
_KEY_USAGES = {
    "signing": "digital_signature",
    "digital signature": "digital_signature",
    "content commitment": "content_commitment",
    "key encipherment": "key_encipherment",
    "key agreement": "key_agreement",
    "data encipherment": "data_encipherment",
    "cert sign": "key_cert_sign",
    "crl sign": "crl_sign",
    "encipher only": "encipher_only",
    "decipher only": "decipher_only",
}
_EXTENDED_USAGES = {
    "any": "2.5.29.37.0",
    "server auth": "1.3.6.1.5.5.7.3.1",
    "client auth": "1.3.6.1.5.5.7.3.2",
    "code signing": "1.3.6.1.5.5.7.3.3",
    "email protection": "1.3.6.1.5.5.7.3.4",
    "s/mime": "1.3.6.1.5.5.7.3.4",
    "ipsec end system": "1.3.6.1.5.5.7.3.5",
    "ipsec tunnel": "1.3.6.1.5.5.7.3.6",
    "ipsec user": "1.3.6.1.5.5.7.3.7",
    "timestamping": "1.3.6.1.5.5.7.3.8",
    "ocsp signing": "1.3.6.1.5.5.7.3.9",
    "microsoft sgc": "1.3.6.1.4.1.311.10.3.3",
    "netscape sgc": "2.16.840.1.113730.4.1",
}


class UsageError(ValueError):
    """A usage is asked for that certificates do not know."""


class CertificateAuthority:
    """The keys are read when the first certificate is signed."""

    def __init__(self, certificate: str, key: Path) -> None:
        """`certificate` is PEM."""
        self._pem = certificate
        self._key = key

    def sign(
        self,
        request: "x509.CertificateSigningRequest",
        *,
        usages: Collection[str],
        seconds: int,
        now: datetime,
    ) -> bytes:
        """The certificate, PEM.

        Raises:
            UsageError: a usage is not known.
        """
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization

        unknown = [usage for usage in usages if usage not in _KEY_USAGES and usage not in _EXTENDED_USAGES]
        if unknown:
            listed = " ".join(f'"{usage}"' for usage in unknown)
            raise UsageError(f"unrecognized usage values: [{listed}]")
        authority, key = self._loaded()
        start, end = _validity(now, timedelta(seconds=seconds), authority.not_valid_after_utc)
        builder = (
            x509.CertificateBuilder()
            .subject_name(request.subject)
            .issuer_name(authority.subject)
            .public_key(request.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(end)
        )
        for extension, critical in _extensions(request, authority, usages):
            builder = builder.add_extension(extension, critical=critical)
        signed = builder.sign(key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM)

    def _loaded(self) -> "tuple[x509.Certificate, CertificateIssuerPrivateKeyTypes]":
        from cryptography import x509
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec, rsa

        key = serialization.load_pem_private_key(self._key.read_bytes(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
            raise TypeError(f"{self._key} holds no key that signs certificates")
        return x509.load_pem_x509_certificate(self._pem.encode()), key


def _validity(now: datetime, life: timedelta, last: datetime) -> tuple[datetime, datetime]:
    """From a little before now, for the sake of clocks; never longer than the authority itself."""
    now = now.replace(microsecond=0)
    end = now + life - (BACKDATED if life >= _SHORT else timedelta())
    return now - BACKDATED, min(end, last)


def _extensions(
    request: "x509.CertificateSigningRequest", authority: "x509.Certificate", usages: Collection[str]
) -> "Sequence[tuple[x509.ExtensionType, bool]]":
    from cryptography import x509

    made: list[tuple[x509.ExtensionType, bool]] = []
    allowed = {_KEY_USAGES[usage] for usage in usages if usage in _KEY_USAGES}
    if allowed:
        names = dict.fromkeys(_KEY_USAGES.values(), False)
        made.append((x509.KeyUsage(**names | dict.fromkeys(allowed, True)), True))
    extended = sorted({_EXTENDED_USAGES[usage] for usage in usages if usage in _EXTENDED_USAGES})
    if extended:
        made.append((x509.ExtendedKeyUsage([x509.ObjectIdentifier(each) for each in extended]), False))
    made.append((x509.BasicConstraints(ca=False, path_length=None), True))
    made.append((_issuer_key(authority), False))
    for each in request.extensions:
        if isinstance(each.value, x509.SubjectAlternativeName):
            made.append((each.value, each.critical))
    return made


def _issuer_key(authority: "x509.Certificate") -> "x509.AuthorityKeyIdentifier":
    from cryptography import x509

    try:
        identifier = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key())  # type: ignore[arg-type]
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
