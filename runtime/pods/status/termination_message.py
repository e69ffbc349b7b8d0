"""What a container said when it ended: its termination message file, or the end of its log."""

import logging
import os
from pathlib import Path

from runtime.pods.observed import ObservedContainer
from runtime.volumes.confined import open_plain

logger = logging.getLogger(__name__)

LONGEST_MESSAGE = 4096
"""Bytes of the file's end that are shown."""
LONGEST_LOG, MOST_LINES = 2048, 80
"""Bytes and lines of the log that stand for the message."""
LONGEST_STAMP = 64
"""Bytes that stand before a line's text in the log, at most."""


def termination_message(container: ObservedContainer) -> str:
    """The message of an ended container, "" when it left none."""
    message = _file_message(container.termination_path) if container.termination_path else ""
    if not message and container.termination_fallback and container.exit_code and container.log_path:
        return _log_end(container.log_path)
    return message


def _file_message(path: str) -> str:
    try:
        with open(open_plain(Path(path)), "rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(file.tell() - LONGEST_MESSAGE, 0))
            return file.read(LONGEST_MESSAGE).decode(errors="replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"Error on reading termination log {path}: {error.strerror}"


def _log_end(path: str) -> str:
    try:
        data = _tail(Path(path), LONGEST_LOG + MOST_LINES * LONGEST_STAMP)
    except OSError as error:
        logger.warning("cannot read the log %s: %s", path, error)
        return ""
    lines = [_content(line) for line in data.splitlines(keepends=True)[-MOST_LINES:]]
    return b"".join(lines)[-LONGEST_LOG:].decode(errors="replace")


def _tail(path: Path, size: int) -> bytes:
    with open(open_plain(path), "rb") as file:
        file.seek(0, os.SEEK_END)
        start = max(file.tell() - size, 0)
        file.seek(start)
        data = file.read()
    return data.partition(b"\n")[2] if start else data


def _content(line: bytes) -> bytes:
    """The text of a CRI log line (`time stream tag text`)."""
    parts = line.split(b" ", 3)
    if len(parts) < 4:
        return b""
    return parts[3] if parts[2] == b"F" else parts[3].rstrip(b"\n")
