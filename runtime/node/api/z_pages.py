"""/statusz and /flagz: since when the agent runs, and with which settings; for people, and as objects.

    Accept: application/json;v=v1beta1;g=config.k8s.io;as=Statusz

Any other way to ask for JSON is not acceptable.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from aiohttp import web

from kubeling.objects.clock import Clock
from kubeling.objects.meta import Object, timestamp
from kubeling.version import KUBERNETES_VERSION
from runtime.node.api.errors import HttpError

PATHS = (
    "/configz", "/flagz", "/healthz", "/metrics", "/metrics/cadvisor", "/metrics/probes", "/metrics/resource",
    "/pods", "/stats/summary", "/statusz",
)  # fmt: skip
_GROUP, _VERSIONS = "config.k8s.io", ("v1beta1", "v1alpha1")
_WARNING = (
    "Warning: This endpoint is not meant to be machine parseable, has no formatting compatibility guarantees"
    " and is for debugging purposes only.\n"
)


@dataclass(frozen=True, slots=True)
class ZPages:
    clock: Clock
    started_at: datetime
    flags: Mapping[str, str]

    async def status(self, request: web.BaseRequest) -> web.Response:
        """Raises HttpError."""
        version = KUBERNETES_VERSION.removeprefix("v")
        emulated = version.rpartition(".")[0]
        up = int((self.clock.now() - self.started_at).total_seconds())
        document = {
            "startTime": timestamp(self.started_at),
            "uptimeSeconds": up,
            "binaryVersion": version,
            "emulationVersion": emulated,
            "paths": list(PATHS),
        }
        lines = [
            f"Started: {self.started_at:%a %b %e %H:%M:%S UTC %Y}",
            f"Up: {up // 3600} hr {up // 60 % 60:02d} min {up % 60:02d} sec",
            f"Binary version: {version}",
            f"Emulation version: {emulated}",
            f"Paths: {' '.join(PATHS)}",
        ]
        return _answer(request, "Statusz", document, "kubelet statusz", lines)

    async def settings(self, request: web.BaseRequest) -> web.Response:
        """Raises HttpError."""
        lines = [f"{name}={value}" for name, value in sorted(self.flags.items())]
        return _answer(request, "Flagz", {"flags": dict(self.flags)}, "kubelet flags", lines)


def _answer(
    request: web.BaseRequest, kind: str, document: Object, title: str, lines: list[str]
) -> web.Response:
    wanted = _version_wanted(request.headers.get("Accept", ""), kind)
    if wanted:
        head = {"kind": kind, "apiVersion": f"{_GROUP}/{wanted}", "metadata": {"name": "kubelet"}}
        return web.json_response({**head, **document})
    return web.Response(text="\n".join(["", title, _WARNING, *lines, ""]))


def _version_wanted(accept: str, kind: str) -> str:
    """Of the object; "" for the text. Raises HttpError."""
    clauses = [[part.strip() for part in clause.split(";")] for clause in accept.split(",") if clause.strip()]
    for media, *parameters in clauses:
        if media in ("*/*", "text/*", "text/plain"):
            return ""
        said = dict(each.partition("=")[::2] for each in parameters)
        is_object = (media, said.get("g"), said.get("as")) == ("application/json", _GROUP, kind)
        if is_object and said.get("v") in _VERSIONS:
            return said["v"]
    if clauses:
        raise HttpError(HTTPStatus.NOT_ACCEPTABLE, "media type not acceptable, must be: text/plain")
    return ""
