"""The `kubeling` command: one module per subcommand, registered in `kubeling.cli.app`.

Not here: what the subcommands do to a cluster (`kubeling.cluster`). Exit codes: 0 done, 1 failed,
2 wrong usage, 3 no cluster is running, 130 interrupted.
"""

import os
import sys
from types import TracebackType


def main() -> None:
    """The console script: never returns, never shows a traceback unless KUBELING_DEBUG is set."""
    if not os.environ.get("KUBELING_DEBUG"):
        sys.excepthook = _apologize
    try:
        from kubeling.cli.app import run

        sys.exit(run(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)


def _apologize(kind: type[BaseException], error: BaseException, _: TracebackType | None) -> None:
    text = f"{kind.__name__}: {error}" if str(error) else kind.__name__
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    sys.stderr.write(f"kubeling: error: {text} (KUBELING_DEBUG=1 shows where)\n")
