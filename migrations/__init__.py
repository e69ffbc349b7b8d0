"""The database's schema, as Alembic revisions: the only place with DDL.

`upgrade` brings a database to `HEAD`. Importing this package does not import Alembic, so a start-up that
finds its database at head (the store reads `alembic_version` itself) does not pay for it. When and on which
connection to migrate is decided in `server.storage.migrate`.
"""

from pathlib import Path

from sqlalchemy import Connection

REVISIONS = ("0001",)
"""Every schema revision that this version knows, oldest first; one per file of `versions/`."""

HEAD = REVISIONS[-1]


def upgrade(connection: Connection) -> None:
    """Apply what is missing, within the transaction that `connection` is in; the caller commits."""
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent))
    command.upgrade(config, "head")
