"""cluster.json: what was decided about a cluster when it was first started, and is kept.

Not here: how it is decided (`kubeling.cluster.decide`).
"""

import dataclasses
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, cast

from kubeling.cluster import files
from kubeling.cluster.errors import HomeError
from kubeling.cluster.home import Home
from kubeling.version import VERSION

LAYOUT = 1
"""Counts up when an older kubeling could no longer make sense of the home directory."""


@dataclass(frozen=True)
class Settings:
    node_name: str
    port: int
    kubelet_port: int
    pod_cidr: str
    service_cidr: str
    datastore: str
    cri_endpoint: str = ""
    """Empty: a private containerd."""
    node: bool = True
    """Whether a node agent runs beside the server."""
    user_kubeconfig: str = ""
    """The file into which `up` wrote the context."""
    virtual_nodes: int = 0
    """How many, in a process of their own; 0: no such process."""
    virtual_cpu: str = "32"
    virtual_memory: str = "256Gi"
    virtual_latency: str = "0"
    """Seconds that a pod takes to start on a virtual node."""
    virtual_port: int = 10260
    """The kubelet API's of all virtual nodes."""


def load(home: Home) -> Settings | None:
    """The settings of the home; None if no cluster was ever started there. Raises HomeError."""
    try:
        document = json.loads(home.cluster_file.read_bytes())
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise HomeError(
            f"{home.root} belongs to another user", hint="run this command as that user"
        ) from error
    except OSError as error:
        raise HomeError(f"{home.cluster_file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise _damaged(home) from error
    if not isinstance(document, dict):
        raise _damaged(home)
    return _decode(home, document)


def save(home: Home, settings: Settings) -> None:
    document = {"layout": LAYOUT, "kubeling": VERSION, **{_camel(k): v for k, v in asdict(settings).items()}}
    files.write_json(home.cluster_file, document)


def _decode(home: Home, document: dict[str, Any]) -> Settings:
    layout = document.get("layout")
    if layout != LAYOUT:
        writer = document.get("kubeling", "another version")
        raise HomeError(
            f"{home.root} belongs to kubeling {writer} (layout {layout})"
            f" and this is kubeling {VERSION} (layout {LAYOUT})",
            hint=f"use that version, or choose another directory with --home, or remove {home.root}",
        )
    values = {}
    for name, kind in _FIELDS.items():
        value = document.get(_camel(name), _DEFAULTS.get(name))
        if type(value) is not kind:
            raise _damaged(home)
        values[name] = value
    return cast(Callable[..., Settings], Settings)(**values)


_DEFAULTS = {
    each.name: each.default
    for each in dataclasses.fields(Settings)
    if each.name.startswith("virtual_")  # what homes of before did not say
}
_FIELDS: dict[str, type] = {name: cast(type, kind) for name, kind in Settings.__annotations__.items()}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    words = {"cidr": "CIDR"}
    return first + "".join(words.get(word, word.capitalize()) for word in rest)


def _damaged(home: Home) -> HomeError:
    return HomeError(
        f"{home.cluster_file} is damaged", hint=f"restore it, or remove {home.root} and start anew"
    )
