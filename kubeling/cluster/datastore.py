"""The datastore's URL: which ones may be asked for, how they are shown, which file one names.

Not here: whether anything is there (`server.storage` finds out).
"""

import re
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from kubeling.cluster.errors import UsageError

_SQLITE = "sqlite:///"
_POSTGRESQL = ("postgresql", "postgres")
_PASSWORD = re.compile(r"([?&]password=)[^&]*")
_HINT = (
    "give a URL such as sqlite:////srv/cluster.db or postgresql://user:password@host/database,"
    " or leave --datastore out"
)


def wished(wish: str | None) -> str:
    """The URL to keep: of a file, with an absolute path, since the server runs elsewhere; "" for no wish.

    Raises UsageError.
    """
    if not wish:
        return ""
    if wish.partition("://")[0] in _POSTGRESQL:
        return _postgresql(wish)
    if not wish.startswith(_SQLITE):
        raise UsageError(f"datastore {shown(wish)!r} is not supported", hint=_HINT)
    file = _file(wish)
    if "?" in wish or not file.name or file.is_dir():
        raise UsageError(f"datastore {wish!r} does not name a file", hint=_HINT)
    return sqlite(file.expanduser().absolute())


def sqlite(file: Path) -> str:
    return f"{_SQLITE}{quote(str(file))}"


def sqlite_file(datastore: str) -> Path | None:
    """The file that a SQLite URL names; None for another database."""
    return _file(datastore) if datastore.startswith(_SQLITE) else None


def shown(datastore: str) -> str:
    """The URL without a password."""
    scheme, separator, rest = datastore.partition("://")
    who, at, where = rest.rpartition("@")
    return _PASSWORD.sub(r"\1***", f"{scheme}{separator}{who.partition(':')[0]}{at}{where}")


def _postgresql(wish: str) -> str:
    try:
        parts = urlsplit(wish)
        named = bool(parts.path.strip("/")) and parts.port != 0
    except ValueError as error:
        raise UsageError(f"datastore {shown(wish)!r} is not a URL: {error}", hint=_HINT) from error
    if not named:
        raise UsageError(f"datastore {shown(wish)!r} does not name a database", hint=_HINT)
    return wish


def _file(datastore: str) -> Path:
    return Path(unquote(datastore.removeprefix(_SQLITE)))
