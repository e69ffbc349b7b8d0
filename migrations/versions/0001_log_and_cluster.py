"""The log of revisions, and the one row about the cluster."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# On SQLite only INTEGER PRIMARY KEY is the row's own id; BIGINT would add an index.
Revision = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
# Lists are in the order of bytes, whatever the language of a PostgreSQL server.
Name = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "revisions",
        sa.Column("revision", Revision, primary_key=True, autoincrement=False),
        sa.Column("resource", Name, nullable=False),
        sa.Column("namespace", Name, nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("uid", sa.Text, nullable=False),
        sa.Column("created_revision", Revision, nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    if op.get_bind().dialect.name == "postgresql":
        # Names the transaction that wrote the row, for a server that lost its connection while committing.
        op.add_column("revisions", sa.Column("batch", sa.BigInteger, nullable=True))
    # Serves "the newest row of each key" from the index alone.
    op.create_index("revisions_by_key", "revisions", ["resource", "namespace", "name", "revision"])
    op.create_table(
        "cluster",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("identity", sa.Text, nullable=False),
        sa.Column("revision", Revision, nullable=False),
        sa.Column("compacted_revision", Revision, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("cluster")
    op.drop_index("revisions_by_key", "revisions")
    op.drop_table("revisions")
