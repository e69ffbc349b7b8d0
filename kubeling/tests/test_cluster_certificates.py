"""Certificates: what they say, that they are kept while good and made anew when not, their keys' modes."""

import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kubeling.cluster import pki
from kubeling.cluster.keys import Pair, Pki

NOW = datetime(2026, 1, 2, tzinfo=UTC)
SUBJECTS = pki.Subjects(
    node_name="vm",
    host_name="VM.example",
    addresses=("192.0.2.2", "2001:db8::2"),
    service_address="10.96.0.1",
)


@pytest.fixture
def keys(tmp_path: Path) -> Pki:
    keys = Pki(tmp_path / "pki")
    pki.ensure(keys, SUBJECTS, now=NOW)
    return keys


def read(pair: Pair) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pair.certificate.read_bytes())


def subject(pair: Pair, oid: x509.ObjectIdentifier) -> list[str]:
    return [str(attribute.value) for attribute in read(pair).subject.get_attributes_for_oid(oid)]


def names(pair: Pair) -> set[str]:
    extension = read(pair).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return {str(name.value) for name in extension.value}


def test_server_certificate_states_every_name_a_client_may_use(keys: Pki) -> None:
    assert names(keys.server) == {
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "localhost",
        "127.0.0.1",
        "::1",
        "10.96.0.1",
        "VM.example",
        "192.0.2.2",
        "2001:db8::2",
    }


@pytest.mark.parametrize(
    ("pair", "user", "group"),
    [
        ("admin", "kubernetes-admin", "system:masters"),
        ("node", "system:node:vm", "system:nodes"),
        ("apiserver-kubelet-client", "kube-apiserver-kubelet-client", "system:masters"),
    ],
)
def test_client_certificates_state_user_and_group(keys: Pki, pair: str, user: str, group: str) -> None:
    assert subject(keys.pair(pair), NameOID.COMMON_NAME) == [user]
    assert subject(keys.pair(pair), NameOID.ORGANIZATION_NAME) == [group]
    usage = read(keys.pair(pair)).extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    assert list(usage.value) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_all_are_issued_by_the_authority(keys: Pki) -> None:
    authority = read(keys.authority)
    for pair in (keys.server, keys.admin, keys.node, keys.node_serving, keys.kubelet_client):
        read(pair).verify_directly_issued_by(authority)


def test_secrets_are_private(keys: Pki) -> None:
    assert stat.S_IMODE(keys.directory.stat().st_mode) == 0o700
    secrets = [*keys.directory.glob("*.key"), keys.token_file]
    assert len(secrets) == 10
    assert {stat.S_IMODE(path.stat().st_mode) for path in secrets} == {0o600}


def contents(keys: Pki) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in keys.directory.iterdir()}


def test_good_ones_are_kept(keys: Pki) -> None:
    before = contents(keys)
    pki.ensure(keys, SUBJECTS, now=NOW + timedelta(days=30))
    assert contents(keys) == before


def test_a_new_address_renews_only_the_serving_certificates(keys: Pki) -> None:
    before = contents(keys)
    pki.ensure(keys, replace(SUBJECTS, addresses=("192.0.2.9",)), now=NOW)
    after = contents(keys)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"apiserver.crt", "apiserver.key", "node-serving.crt", "node-serving.key"}
    assert "192.0.2.9" in names(keys.server)


def test_an_address_that_is_gone_renews_nothing(keys: Pki) -> None:
    before = contents(keys)
    pki.ensure(keys, replace(SUBJECTS, addresses=("192.0.2.2",)), now=NOW)
    assert contents(keys) == before


def test_near_their_end_they_are_renewed_by_the_same_authority(keys: Pki) -> None:
    before = contents(keys)
    pki.ensure(keys, SUBJECTS, now=NOW + timedelta(days=350))
    after = contents(keys)
    assert after["ca.crt"] == before["ca.crt"]
    assert after["admin.crt"] != before["admin.crt"]


def test_a_new_authority_renews_all(keys: Pki) -> None:
    keys.authority.key.unlink()
    pki.ensure(keys, SUBJECTS, now=NOW)
    read(keys.admin).verify_directly_issued_by(read(keys.authority))


def test_a_damaged_certificate_is_made_anew(keys: Pki) -> None:
    keys.server.certificate.write_text("nonsense")
    pki.ensure(keys, SUBJECTS, now=NOW)
    read(keys.server).verify_directly_issued_by(read(keys.authority))


def test_the_token_is_the_administrators_and_random(keys: Pki, tmp_path: Path) -> None:
    other = Pki(tmp_path / "other")
    pki.ensure(other, SUBJECTS, now=NOW)
    token, user, _, group = keys.token_file.read_text().strip().split(",")
    assert (user, group) == ("kubernetes-admin", '"system:masters"')
    assert len(token) >= 32
    assert token != other.token_file.read_text().split(",")[0]
