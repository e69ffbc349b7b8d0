"""Merges the context `kubeling` into the user's kubeconfig and takes it out again, as kind and minikube do.

Other contexts, clusters and users stay as they are, and so do the file's mode and owner; comments are lost.
The lock is client-go's: a file `config.lock` beside the file, which exists while somebody writes.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from kubeling.cluster import files
from kubeling.cluster.errors import KubeconfigError

LOCK_PATIENCE = 5.0
LISTS = ("clusters", "contexts", "users")
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def merge(path: Path, document: dict[str, Any]) -> None:
    """Puts the entries of `document` into the file and makes its context the current one."""
    with _locked(path):
        merged = read(path)
        for title in LISTS:
            _put(merged, title, document[title])
        merged["current-context"] = document["current-context"]
        _write(path, merged)


def remove(path: Path, document: dict[str, Any]) -> bool:
    """Takes out the entries of `document`'s names if they are this cluster's; false if they are not there."""
    if not path.exists():
        return False
    with _locked(path):
        merged = read(path)
        if not _same_cluster(merged, document):
            return False
        for title in LISTS:
            names = {entry["name"] for entry in document[title]}
            merged[title] = [entry for entry in merged[title] if entry.get("name") not in names]
        if merged.get("current-context") == document["current-context"]:
            merged["current-context"] = ""
        _write(path, merged)
        return True


def require_writable(path: Path) -> None:
    """Raises KubeconfigError if the file is malformed or there is no way to write it."""
    read(path)
    place = Path(os.path.realpath(path)).parent
    while not place.exists():
        place = place.parent
    if not place.is_dir():
        raise KubeconfigError(f"{path} cannot be written: {place} is not a directory", hint=_OTHER_FILE)
    if not os.access(place, os.W_OK | os.X_OK):
        raise KubeconfigError(f"{path} cannot be written: Permission denied", hint=_OTHER_FILE)


def read(path: Path) -> dict[str, Any]:
    """The file's contents, an empty configuration if it is missing or empty. Raises KubeconfigError."""
    try:
        content = yaml.load(path.read_bytes(), Loader=_Loader)
    except FileNotFoundError:
        content = None
    except OSError as error:
        raise KubeconfigError(f"{path} cannot be read: {error.strerror}", hint=_OTHER_FILE) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise _malformed(path, "it is not YAML") from error
    if content is None:
        content = {"apiVersion": "v1", "kind": "Config"}
    if not isinstance(content, dict):
        raise _malformed(path, "it does not hold a mapping")
    for title in LISTS:
        _check_list(path, title, content)
    return content


_OTHER_FILE = "name another file with --kubeconfig FILE"


def _check_list(path: Path, title: str, content: dict[str, Any]) -> None:
    entries = content.get(title)
    content[title] = [] if entries is None else entries
    if not isinstance(content[title], list) or not all(isinstance(entry, dict) for entry in content[title]):
        raise _malformed(path, f"{title!r} is not a list of mappings")


def _put(merged: dict[str, Any], title: str, entries: list[dict[str, Any]]) -> None:
    for entry in entries:
        places = [i for i, other in enumerate(merged[title]) if other.get("name") == entry["name"]]
        if places:
            merged[title][places[0]] = entry
        else:
            merged[title].append(entry)


def _same_cluster(merged: dict[str, Any], document: dict[str, Any]) -> bool:
    own = document["clusters"][0]
    authority = own["cluster"]["certificate-authority-data"]
    return any(
        entry.get("name") == own["name"]
        and (entry.get("cluster") or {}).get("certificate-authority-data") == authority
        for entry in merged["clusters"]
    )


def _write(path: Path, content: dict[str, Any]) -> None:
    target = Path(os.path.realpath(path))  # a link stays a link
    text = yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10**6)
    try:
        before = target.stat()
    except FileNotFoundError:
        files.write(target, text.encode())
        return
    files.write(target, text.encode(), mode=before.st_mode & 0o7777, owner=(before.st_uid, before.st_gid))


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Holds client-go's lock, and translates what the system says about the file."""
    lock = Path(f"{os.path.realpath(path)}.lock")
    try:
        lock.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        _create_lock(lock)
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)
    except OSError as error:
        raise KubeconfigError(f"{path} cannot be written: {error.strerror}", hint=_OTHER_FILE) from error


def _create_lock(lock: Path) -> None:
    deadline = time.monotonic() + LOCK_PATIENCE
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            return
        except FileExistsError as error:
            if time.monotonic() > deadline:
                raise KubeconfigError(
                    f"another program holds {lock}", hint=f"if none does any more, remove {lock}"
                ) from error
        time.sleep(0.05)


def _malformed(path: Path, why: str) -> KubeconfigError:
    return KubeconfigError(f"{path} is not a kubeconfig: {why}", hint=f"mend it, or {_OTHER_FILE}")
