"""Decides at start-up whether the database's schema must be brought up to date; `migrations` does it."""

from sqlalchemy import Connection, Select, String, column, inspect, select, table

import migrations
from server.storage import log
from server.storage.errors import DatabaseUnusable

_VERSION: Select[str] = select(column("version_num", String)).select_from(table("alembic_version"))


def at_head(connection: Connection) -> bool:
    """Whether the schema is this version's own.

    Raises:
        DatabaseUnusable: a newer kubeling wrote it.
    """
    if not inspect(connection).has_table("alembic_version"):
        return False
    version = connection.execute(_VERSION).scalar_one_or_none()
    if version is not None and version not in migrations.REVISIONS:
        raise DatabaseUnusable(
            f"the database was written by a newer kubeling (its schema is {version}, "
            f"this version knows up to {migrations.HEAD}): use that version, or another home directory"
        )
    return version == migrations.HEAD


def migrate(connection: Connection) -> None:
    """Bring the schema to head, and make the cluster's row; nothing when another process just did."""
    if not at_head(connection):
        migrations.upgrade(connection)
    log.make_cluster(connection)
