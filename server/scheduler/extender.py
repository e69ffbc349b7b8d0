"""Extenders: HTTP services that have a say in which nodes will do, which is best, and who has to go."""

import ssl
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kubeling.objects.meta import Object
from server.scheduler.configuration import ExtenderConfiguration
from server.scheduler.framework import Lister, Rejection
from server.scheduler.node_state import NodeState
from server.scheduler.plugins.default_preemption import Candidate
from server.scheduler.pod_info import PodInfo
from server.scheduler.queue import EXTENDER

if TYPE_CHECKING:
    import aiohttp

SCALE = 10
"""Extenders' scores go up to 10, plug-ins' to 100."""


class ExtenderError(Exception):
    """The extender could not be asked, or said that it failed."""


class Extender:
    def __init__(self, configuration: ExtenderConfiguration, pods: Lister) -> None:
        self._configuration = configuration
        self._pods = pods
        self._session: aiohttp.ClientSession | None = None
        self.ignorable = configuration.ignorable
        self.preempts = bool(configuration.preempt)
        self.binds = bool(configuration.bind)

    def is_interested(self, pod: PodInfo) -> bool:
        managed = self._configuration.resources
        if not managed:
            return True
        containers = [*(pod.spec.get("containers") or ()), *(pod.spec.get("initContainers") or ())]
        return any(
            name in managed
            for container in containers
            for kind in ("requests", "limits")
            for name in (container.get("resources") or {}).get(kind) or ()
        )

    async def filter(
        self, pod: PodInfo, nodes: Sequence[NodeState]
    ) -> tuple[list[NodeState], Mapping[str, Rejection]]:
        """The nodes that will do, and why others will not. Raises ExtenderError."""
        if not self._configuration.filter:
            return list(nodes), {}
        answer = await self._ask(self._configuration.filter, self._question(pod, nodes))
        if error := _field(answer, "error"):
            raise ExtenderError(str(error))
        names = self._names(answer)
        failed = _rejections(_field(answer, "failedNodes"), resolvable=True)
        failed |= _rejections(_field(answer, "failedAndUnresolvableNodes"), resolvable=False)
        return [node for node in nodes if node.name in names], failed

    def _question(self, pod: PodInfo, nodes: Sequence[NodeState]) -> Object:
        if self._configuration.node_cache_capable:
            return {"Pod": pod.pod, "Nodes": None, "NodeNames": [node.name for node in nodes]}
        listing = {"apiVersion": "v1", "kind": "NodeList", "items": [node.node for node in nodes]}
        return {"Pod": pod.pod, "Nodes": listing, "NodeNames": None}

    def _names(self, answer: Object) -> frozenset[str]:
        names = _field(answer, "nodeNames")
        if self._configuration.node_cache_capable and names is not None:
            return frozenset(names)
        listing = _field(answer, "nodes") or {}
        return frozenset(node["metadata"]["name"] for node in listing.get("items") or ())

    async def prioritize(self, pod: PodInfo, nodes: Sequence[NodeState]) -> Mapping[str, int]:
        """Weighted scores by node. Raises ExtenderError."""
        if not self._configuration.prioritize:
            return {}
        answer = await self._ask(self._configuration.prioritize, self._question(pod, nodes))
        weight = self._configuration.weight * SCALE
        return {str(_field(each, "host")): int(_field(each, "score") or 0) * weight for each in answer or ()}

    async def preempt(self, pod: PodInfo, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Those of the candidates that will do, perhaps with fewer victims. Raises ExtenderError."""
        asked: Object = {"Pod": pod.pod, "NodeNameToVictims": None, "NodeNameToMetaVictims": None}
        if self._configuration.node_cache_capable:
            asked["NodeNameToMetaVictims"] = {each.node: _meta_victims(each) for each in candidates}
        else:
            asked["NodeNameToVictims"] = {each.node: self._victims(each) for each in candidates}
        answer = await self._ask(self._configuration.preempt, asked)
        chosen = _field(answer, "nodeNameToMetaVictims") or {}
        return [_narrowed(each, chosen[each.node]) for each in candidates if each.node in chosen]

    def _victims(self, candidate: Candidate) -> Object:
        pods = [self._pods.get(victim.namespace, victim.name) for victim in candidate.victims]
        return {"Pods": [pod for pod in pods if pod is not None], "NumPDBViolations": candidate.violations}

    async def bind(self, pod: PodInfo, node: str) -> None:
        """Raises ExtenderError."""
        args = {"PodName": pod.name, "PodNamespace": pod.namespace, "PodUID": pod.uid, "Node": node}
        answer = await self._ask(self._configuration.bind, args)
        if error := _field(answer or {}, "error"):
            raise ExtenderError(str(error))

    async def _ask(self, verb: str, body: Object) -> Any:
        import aiohttp

        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(self._configuration.timeout))
        url = f"{self._configuration.url}/{verb.lstrip('/')}"
        try:
            async with self._session.post(url, json=body, ssl=self._tls()) as answer:
                if answer.status != 200:
                    raise ExtenderError(f"failed {verb} with extender at URL {url}, code {answer.status}")
                return await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise ExtenderError(f"failed {verb} with extender at URL {url}: {error}") from error

    def _tls(self) -> ssl.SSLContext | bool:
        if self._configuration.insecure:
            return False
        file = self._configuration.ca_file
        return ssl.create_default_context(cafile=file) if file else True

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


def _field(answer: Mapping[str, Any], name: str) -> Any:
    """Extenders spell fields as they like: upstream reads them whatever the case."""
    return next((value for key, value in answer.items() if key.lower() == name.lower()), None)


def _rejections(failed: Mapping[str, str] | None, *, resolvable: bool) -> dict[str, Rejection]:
    return {node: Rejection(EXTENDER, (reason,), resolvable) for node, reason in (failed or {}).items()}


def _meta_victims(candidate: Candidate) -> Object:
    return {
        "Pods": [{"UID": pod.uid} for pod in candidate.victims],
        "NumPDBViolations": candidate.violations,
    }


def _narrowed(candidate: Candidate, chosen: Mapping[str, Any]) -> Candidate:
    uids = {str(_field(each, "uid")) for each in _field(chosen, "pods") or ()}
    return Candidate(
        candidate.node,
        tuple(pod for pod in candidate.victims if pod.uid in uids),
        int(_field(chosen, "numPDBViolations") or 0),
    )
