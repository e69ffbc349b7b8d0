"""How the processes of a cluster write their logs: to stderr, a line per record, times in UTC.

Not here: where stderr leads (the supervisor), and what is logged.
"""

import logging
import os
import sys
import time


def log_to_stderr() -> None:
    """Called once by a process; KUBELING_LOG names the lowest level, INFO if it is not set."""
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(
        stream=sys.stderr,
        level=os.environ.get("KUBELING_LOG", "INFO").upper(),
        format="%(asctime)s.%(msecs)03dZ %(levelname)-7s %(name)s: %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S",
    )
