"""Issues X.509 certificates on P-256 keys and says when one must be issued anew.

Not here: which identities a cluster has (`kubeling.cluster.pki`).
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kubeling.cluster import files
from kubeling.cluster.keys import Pair

AUTHORITY_LIFE = timedelta(days=3650)
LEAF_LIFE = timedelta(days=365)
RENEW_BEFORE = timedelta(days=60)
CLOCK_SKEW = timedelta(hours=1)


@dataclass(frozen=True)
class Profile:
    """What a certificate has to say."""

    common_name: str
    organization: str = ""
    names: tuple[str, ...] = ()
    """Subject alternative names, host names and addresses alike."""
    server: bool = False
    client: bool = False


@dataclass(frozen=True)
class Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    fresh: bool = False
    """It was made just now: all that an earlier one issued is worthless."""


def ensure_authority(pair: Pair, name: str, *, now: datetime) -> Authority:
    """The authority of these files; a new one if there is none or it ends soon."""
    kept = _load(pair)
    if kept and now + RENEW_BEFORE < kept[0].not_valid_after_utc:
        return Authority(*kept)
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(Profile(name), key, issuer=_subject(Profile(name)), now=now, life=AUTHORITY_LIFE)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(authority=True), critical=True)
    certificate = builder.sign(key, hashes.SHA256())
    _write(pair, certificate, key)
    return Authority(certificate, key, fresh=True)


def ensure_leaf(pair: Pair, profile: Profile, authority: Authority, *, now: datetime) -> None:
    """Issues the certificate unless a good one, which says at least what it has to, is there."""
    kept = None if authority.fresh else _load(pair)
    if kept and _serves(kept[0], profile, authority, now=now):
        return
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = authority.certificate.subject
    builder = _builder(profile, key, issuer=issuer, now=now, life=LEAF_LIFE)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(authority=False), critical=True)
    builder = builder.add_extension(_extended_usage(profile), critical=False)
    if profile.names:
        builder = builder.add_extension(_alternative_names(profile.names), critical=False)
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False
    )
    _write(pair, builder.sign(authority.key, hashes.SHA256()), key)


def ensure_key(path: Path) -> None:
    """A private key without a certificate."""
    if not path.exists():
        files.write(path, _encode_key(ec.generate_private_key(ec.SECP256R1())))


def _serves(certificate: x509.Certificate, profile: Profile, authority: Authority, *, now: datetime) -> bool:
    return (
        now + RENEW_BEFORE < certificate.not_valid_after_utc
        and certificate.subject == _subject(profile)
        and certificate.issuer == authority.certificate.subject
        and _stated_names(certificate).issuperset(profile.names)
    )


def _stated_names(certificate: x509.Certificate) -> set[str]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return set()
    return {str(name.value) for name in extension.value}


def _builder(
    profile: Profile, key: ec.EllipticCurvePrivateKey, *, issuer: x509.Name, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_subject(profile))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _subject(profile: Profile) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, profile.common_name)]
    if profile.organization:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, profile.organization))
    return x509.Name(attributes)


def _alternative_names(names: Iterable[str]) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([_general_name(name) for name in names])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not authority,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _extended_usage(profile: Profile) -> x509.ExtendedKeyUsage:
    usages = []
    if profile.server:
        usages.append(ExtendedKeyUsageOID.SERVER_AUTH)
    if profile.client:
        usages.append(ExtendedKeyUsageOID.CLIENT_AUTH)
    return x509.ExtendedKeyUsage(usages)


def _load(pair: Pair) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None:
    """What the files hold; None if they are missing, damaged or do not belong together."""
    try:
        certificate = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
        key = serialization.load_pem_private_key(pair.key.read_bytes(), password=None)
    except (OSError, ValueError):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        return None
    return certificate, key


def _write(pair: Pair, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    files.write(pair.key, _encode_key(key))
    files.write(pair.certificate, certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)


def _encode_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
