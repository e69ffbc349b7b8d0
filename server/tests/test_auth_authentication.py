from pathlib import Path
from typing import Any

import pytest

from kubeling.objects.errors import Unauthorized
from server.auth.authentication import Authenticator
from server.auth.certificates import user_named_by
from server.auth.identities import Identity, authenticated
from server.auth.tokens import TokenFileError, Tokens


def tokens(tmp_path: Path, text: Any) -> Any:
    path = tmp_path / "tokens.csv"
    path.write_text(text)
    return Tokens.read(path)


def test_a_token_stands_for_its_user(tmp_path: Path) -> None:
    authenticator = Authenticator(
        tokens(tmp_path, '# ours\nsecret,admin,u1,"system:masters, team"\nother,bob,u2\n')
    )
    admin = authenticator.user(certificate=None, authorization="Bearer secret")
    assert (admin.name, admin.uid) == ("admin", "u1")
    assert admin.groups == ("system:masters", "team", "system:authenticated")
    assert authenticator.user(certificate=None, authorization="bearer other").groups == (
        "system:authenticated",
    )


def test_an_unknown_token_is_refused() -> None:
    with pytest.raises(Unauthorized, match="Unauthorized"):
        Authenticator(Tokens()).user(certificate=None, authorization="Bearer wrong")


@pytest.mark.parametrize("header", ["", "Basic eHg6eQ==", "Bearer "])
def test_without_credentials_the_user_is_anonymous(header: Any) -> None:
    user = Authenticator(Tokens()).user(certificate=None, authorization=header)
    assert (user.name, user.groups) == ("system:anonymous", ("system:unauthenticated",))


def test_a_certificate_goes_before_a_token() -> None:
    user = user_named_by(
        {"subject": ((("organizationName", "system:masters"),), (("commonName", "kubernetes-admin"),))},
        fingerprint="ab",
    )
    assert user is not None
    assert user.groups == ("system:masters", "system:authenticated")
    shown = Identity(user, holds=lambda: True)
    assert Authenticator(Tokens()).user(certificate=shown, authorization="Bearer wrong") is user


def test_a_certificate_that_is_out_of_date_identifies_nobody_any_more() -> None:
    shown = Identity(authenticated("bob"), holds=lambda: False)
    with pytest.raises(Unauthorized, match="Unauthorized"):
        Authenticator(Tokens()).user(certificate=shown, authorization="")


def test_of_several_names_the_last_counts() -> None:
    subject = [(("commonName", "first"),), (("1.3.6.1.4.1.57683.2", "uid"),), (("commonName", "last"),)]
    user = user_named_by({"subject": subject}, fingerprint="ab")
    assert user is not None
    assert (user.name, user.uid) == ("last", "uid")


def test_a_certificate_without_a_name_identifies_nobody() -> None:
    assert user_named_by({"subject": ((("organizationName", "x"),),)}, fingerprint="ab") is None


def test_a_broken_token_file_is_reported_by_line(tmp_path: Path) -> None:
    with pytest.raises(TokenFileError, match=r"tokens\.csv:2: a line is token,user,uid"):
        tokens(tmp_path, "a,b,c\nonly-a-token\n")
