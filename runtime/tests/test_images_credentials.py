"""Which pull secrets are for which image."""

import base64
import json
from typing import Any

import pytest

from runtime.images.credentials import credentials_for

DIGEST = "sha256:" + "0" * 64


def a_secret(auths: dict[str, Any], *, old: bool = False, name: str = "pull") -> dict[str, Any]:
    document = base64.b64encode(json.dumps(auths if old else {"auths": auths}).encode()).decode()
    kind, key = ("dockercfg", ".dockercfg") if old else ("dockerconfigjson", ".dockerconfigjson")
    meta = {"namespace": "team", "name": name, "uid": f"{name}-uid"}
    return {"metadata": meta, "type": f"kubernetes.io/{kind}", "data": {key: document}}


def names(image: str, *secrets: dict[str, Any]) -> list[str]:
    return [each.auth.username for each in credentials_for(image, secrets)]


def test_the_closest_credentials_come_first() -> None:
    login = base64.b64encode(b"me:secret:x").decode()
    secret = a_secret(
        {
            "example.test": {"username": "wide", "password": "p"},
            "https://example.test/team": {"auth": login},
            "other.test": {"username": "no"},
        }
    )
    found = credentials_for("example.test/team/app:1", [secret])
    assert [(each.auth.username, each.auth.password) for each in found] == [("me", "secret:x"), ("wide", "p")]


@pytest.mark.parametrize(
    ("place", "image", "does_match"),
    [
        ("example.test", "example.test/a/b:1", True),
        ("example.test", f"example.test/a@{DIGEST}", True),
        ("example.test", "example.test:5000/a", False),
        ("example.test:5000", "example.test:5000/a", True),
        ("example.test:5000", "example.test/a", False),
        ("http://example.test:5000/v2/", "example.test:5000/a", True),
        ("example.test/a", "example.test/a/b", True),
        ("example.test/a", "example.test/b/a", False),
        ("*.example.test", "sub.example.test/a", True),
        ("*.example.test", "example.test/a", False),
        ("*.example.test", "a.b.example.test/a", False),
        ("reg-*.test", "reg-1.test/a", True),
        ("https://index.docker.io/v1/", "busybox", True),
        ("https://index.docker.io/v1/", "team/app:1", True),
        ("index.docker.io", "docker.io/team/app", True),
        ("index.docker.io", "quay.test/app", False),
        ("docker.io", "index.docker.io/library/busybox", True),
        ("docker.io/team", "team/app", True),
        ("docker.io/team", "busybox", False),
    ],
    ids=lambda value: str(value).replace("/", "_"),
)
def test_an_entry_is_for_images_of_its_place(place: str, image: str, does_match: bool) -> None:
    for old in (False, True):
        assert names(image, a_secret({place: {"username": "me"}}, old=old)) == ["me"] * does_match


def test_secrets_are_tried_in_their_order_and_each_login_once() -> None:
    first, second = a_secret({"r.test": {"username": "a"}}), a_secret({"r.test": {"username": "b"}}, name="x")
    again = a_secret({"r.test": {"username": "a"}}, name="again")
    assert names("r.test/app", first, second, again) == ["a", "b"]
    assert credentials_for("r.test/app", [first, again])[0].name == "pull"


def test_auth_goes_before_a_name_and_needs_no_padding() -> None:
    login = base64.b64encode(b"someone:p").decode().rstrip("=")
    assert names("r.test/a", a_secret({"r.test": {"username": "other", "auth": login}})) == ["someone"]
    assert names("r.test/a", a_secret({"r.test": {"auth": "bm9jb2xvbg=="}})) == []


@pytest.mark.parametrize(
    "data",
    [{}, {".dockerconfigjson": "bm9uZQ=="}, {".dockerconfigjson": "W10="}],
    ids=["none", "no-json", "a-list"],
)
def test_a_damaged_secret_offers_nothing(data: dict[str, str]) -> None:
    assert credentials_for("busybox", [{"type": "kubernetes.io/dockerconfigjson", "data": data}]) == []


def test_a_secret_of_another_type_offers_nothing() -> None:
    assert names("r.test/a", {**a_secret({"r.test": {"username": "me"}}), "type": "Opaque"}) == []
