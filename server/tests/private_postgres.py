"""A PostgreSQL server of the tests' own: an unprivileged user, a temporary directory, a Unix socket."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

OLDEST_VERSION = 15
START_SECONDS = 60.0
USERS = ("postgres", "nobody")
"""Who may run it when we are root, whom it refuses."""


class Missing(Exception):
    """No PostgreSQL can be started here; the text says why."""


class PrivatePostgres:
    def __init__(self, programs: Path, directory: Path, user: str | None) -> None:
        self._programs = programs
        self._directory = directory
        self._as_user = (
            ["setpriv", f"--reuid={user}", f"--regid={_group(user)}", "--clear-groups"] if user else []
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = count()

    def initialise(self) -> None:
        self._run(
            "initdb",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--username=kubeling",
            "--no-sync",
        )

    def start(self) -> None:
        """Returns when it accepts connections."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._directory),
            "fsync": "off",  # processes are killed here, never the machine
            "max_connections": "200",
            "shared_buffers": "32MB",
            "log_min_messages": "fatal",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        command = [*self._as_user, str(self._programs / "postgres"), "-D", str(self._data), *options]
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/", start_new_session=True)
        self.wait()

    def stop(self, *, kill: bool = False) -> None:
        """An immediate shutdown, or (`kill`) a kill -9 of the server and all its backends."""
        process, self._process = self._process, None
        if process is None:
            return
        if kill:
            _kill_family(process.pid)
        else:
            process.send_signal(signal.SIGQUIT)
        process.wait()

    def url(self, database: str) -> str:
        return f"postgresql://kubeling@/{database}?host={self._directory}"

    def execute(self, statement: str, *, database: str = "postgres") -> list[Any]:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of an empty database, which is dropped in the end."""
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        try:
            yield self.url(name)
        finally:
            if self._process is None:
                self.start()
            self.wait()
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def kill_backends(self, database: str) -> int:
        """kill -9 of every process that serves the database (PostgreSQL then restarts them all)."""
        self.wait()
        found = self.execute(f"SELECT pid FROM pg_stat_activity WHERE datname = '{database}'")
        for (pid,) in found:
            with suppress(ProcessLookupError):  # the first one's death ends the others
                os.kill(pid, signal.SIGKILL)
        return len(found)

    @property
    def _data(self) -> Path:
        return self._directory / "data"

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as_user, str(self._programs / program), "-D", str(self._data), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
        if done.returncode:
            raise Missing(f"{program} failed: {done.stderr.strip()}")

    def wait(self) -> None:
        """Returns when it accepts connections."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.execute("SELECT 1")
                return
            except psycopg.OperationalError as error:
                self._restart_if_ended()
                if time.monotonic() > deadline:
                    raise Missing(f"the server does not answer: {error}") from error
                time.sleep(0.02)

    def _restart_if_ended(self) -> None:
        """After a kill -9 the old backends may still hold the shared memory for a moment."""
        if self._process is not None and self._process.poll() is not None:
            self._process = None
            time.sleep(0.1)
            self.start()


@contextmanager
def private_postgres() -> Iterator[PrivatePostgres]:
    """
    Raises:
        Missing: it cannot be had.
    """
    programs, user = _programs(), _unprivileged()
    directory = Path(tempfile.mkdtemp(prefix="kubeling-pg-"))
    server = PrivatePostgres(programs, directory, user)
    try:
        if user:
            shutil.chown(directory, user)
        server.initialise()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)


def missing(why: Missing) -> None:
    """Where everything must be tested a missing PostgreSQL is a failure."""
    text = f"no PostgreSQL for the tests: {why}"
    if os.environ.get("CI"):
        pytest.fail(text)
    pytest.skip(text)


def _programs() -> Path:
    versions = {int(path.parent.name): path for path in Path("/usr/lib/postgresql").glob("[0-9]*/bin")}
    if versions and max(versions) >= OLDEST_VERSION:
        return versions[max(versions)]
    found = shutil.which("initdb")
    if not found:
        raise Missing(f"no initdb of version {OLDEST_VERSION} or later (Debian: apt-get install postgresql)")
    return Path(found).resolve().parent


def _unprivileged() -> str | None:
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    for user in USERS:
        if user in known:
            return user
    raise Missing(f"none of the users {', '.join(USERS)} exists, and root may not run it")


def _group(user: str) -> int:
    return pwd.getpwnam(user).pw_gid


def _kill_family(pid: int) -> None:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    os.kill(pid, signal.SIGKILL)
    for child in children:
        with suppress(ProcessLookupError):
            os.kill(int(child), signal.SIGKILL)
