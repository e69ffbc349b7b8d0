"""Authentication by a static token file: lines of `token,user,uid,"group1,group2"`.

Only digests of the tokens are kept and looked up, so neither memory nor the time of a look-up tells a token.
"""

import csv
import hashlib
from collections.abc import Iterable
from pathlib import Path

from server.auth.identities import authenticated
from server.registry.context import UserInfo


class TokenFileError(ValueError):
    """The token file cannot be used; the text says where and why."""


class Tokens:
    """The users that bearer tokens stand for."""

    def __init__(self, users: dict[bytes, UserInfo] | None = None) -> None:
        self._users = users or {}

    @classmethod
    def read(cls, path: Path) -> "Tokens":
        """Load a token file.

        Raises:
            TokenFileError: the file cannot be read or a line has no token, user or uid.
        """
        try:
            with path.open(newline="") as lines:
                return cls(dict(_parse(lines, path)))
        except OSError as error:
            raise TokenFileError(f"cannot read {path}: {error.strerror}") from error

    def user_of(self, token: str) -> UserInfo | None:
        return self._users.get(_digest(token))


def _parse(lines: Iterable[str], path: Path) -> Iterable[tuple[bytes, UserInfo]]:
    for number, row in enumerate(csv.reader(lines), start=1):
        if not row or row[0].startswith("#"):
            continue
        if len(row) < 3 or not row[0] or not row[1]:
            raise TokenFileError(f"{path}:{number}: a line is token,user,uid and optionally groups")
        groups = tuple(group.strip() for group in row[3].split(",") if group.strip()) if len(row) > 3 else ()
        yield _digest(row[0].strip()), authenticated(row[1].strip(), uid=row[2].strip(), groups=groups)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
