"""`python -m server.storage backup|restore`: what the `kubeling` command runs on a server's configuration."""

import argparse
import json
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path

from server.storage.archive import ArchiveError
from server.storage.backup import backup
from server.storage.database import database
from server.storage.errors import DatabaseError
from server.storage.restore import Refused, restore

FAILED, REFUSED = 1, 4


def main() -> int:
    """Prints what was done as JSON, or why not as a sentence on stderr; the process's exit code."""
    parser = argparse.ArgumentParser(prog="python -m server.storage")
    parser.add_argument("command", choices=("backup", "restore"))
    parser.add_argument("--config", type=Path, required=True, help="the server's configuration")
    parser.add_argument("--force", action="store_true", help="replace what the database holds")
    parser.add_argument("file", type=Path)
    options = parser.parse_args()
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        sys.stdout.write(json.dumps(_run(options)) + "\n")
    except Refused:
        return REFUSED
    except (DatabaseError, ArchiveError) as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    return 0


def _run(options: argparse.Namespace) -> dict[str, object]:
    chosen = database(json.loads(options.config.read_text())["datastore"])
    if options.command == "backup":
        header, objects = backup(chosen, options.file, now=datetime.now(UTC))
        return {**vars(header), "objects": objects}
    header, revision = restore(chosen, options.file, force=options.force)
    return {**vars(header), "goesOnAt": revision}


if __name__ == "__main__":
    sys.exit(main())
