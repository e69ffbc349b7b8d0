"""The plug-ins of one scheduler's name, ready to be asked."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence

from server.scheduler.cluster_state import ClusterState
from server.scheduler.configuration import ProfileConfiguration
from server.scheduler.framework import Filtering, NodeFilter, OnlyNodes, Plugin, Rejection, Wake
from server.scheduler.memo import Memo
from server.scheduler.node_state import NodeState
from server.scheduler.plugins.default_preemption import DefaultPreemption
from server.scheduler.pod_info import PodInfo

KEPT = 64
"""Signatures whose judgements are remembered."""


class Profile:
    def __init__(
        self, configuration: ProfileConfiguration, plugin: Callable[[str], Plugin], *, percentage: int | None
    ) -> None:
        self.name = configuration.name
        self.percentage = percentage
        """Of nodes to score; None is adaptive."""
        points = configuration.points
        # A node is judged by the first filter that rejects it: their order shows in what is reported.
        filters = [plugin(name) for name in dict.fromkeys((*points["filter"], *points["preFilter"]))]
        self.scores = [(weight, plugin(name)) for name, weight in points["score"].items()]
        self._local_filters = [each for each in filters if each.local]
        self._wide_filters = [each for each in filters if not each.local]
        self._local_scores = [(weight, each) for weight, each in self.scores if each.local]
        self._wide_scores = [(weight, each) for weight, each in self.scores if not each.local]
        self.reserving = [plugin(name) for name in points["reserve"]]
        self.pre_binding = [plugin(name) for name in points["preBind"]]
        post_filters = [plugin(name) for name in points["postFilter"]]
        self.preemption = next((each for each in post_filters if isinstance(each, DefaultPreemption)), None)
        self.wakes = _by_resource([*filters, *self.reserving])
        self._memos: OrderedDict[object, Memo] = OrderedDict()

    def memo(self, pod: PodInfo, cluster: ClusterState) -> Memo:
        key = (pod.signature, bool(cluster.soft_taints), cluster.images_generation)
        found = self._memos.get(key)
        if found is not None:
            self._memos.move_to_end(key)
            pod.__dict__.setdefault("demand", found.demand)
            return found
        filters, names, rejection = gathered(self._local_filters, pod, cluster)
        scorings = [
            (weight, scoring)
            for weight, plugin in self._local_scores
            if (scoring := plugin.pre_score(pod, cluster)) is not None
        ]
        found = self._memos[key] = Memo(pod.demand, filters, scorings, names, rejection)
        if len(self._memos) > KEPT:
            self._memos.popitem(last=False)
        return found

    def wide_filters(
        self, pod: PodInfo, cluster: ClusterState
    ) -> tuple[list[NodeFilter], frozenset[str] | None, Rejection | None]:
        return gathered(self._wide_filters, pod, cluster)

    def comparisons(
        self, pod: PodInfo, cluster: ClusterState, nodes: Sequence[NodeState]
    ) -> Iterator[tuple[int, list[int]]]:
        """The scores of plug-ins that look at all nodes, with the plug-ins' weights."""
        for weight, plugin in self._wide_scores:
            points = plugin.compare(pod, cluster, nodes)
            if points is not None:
                yield weight, points


def gathered(
    plugins: Sequence[Plugin], pod: PodInfo, cluster: ClusterState
) -> tuple[list[NodeFilter], frozenset[str] | None, Rejection | None]:
    """What the plug-ins ask each node, the nodes that come into question, and why none does."""
    filters: list[NodeFilter] = []
    names: frozenset[str] | None = None
    for plugin in plugins:
        answer: Filtering = plugin.pre_filter(pod, cluster)
        if isinstance(answer, Rejection):
            return filters, names, answer
        if isinstance(answer, OnlyNodes):
            names = answer.names if names is None else names & answer.names
            answer = answer.filter
        if answer is not None:
            filters.append(answer)
    return filters, names, None


def _by_resource(plugins: Sequence[Plugin]) -> dict[str, list[tuple[str, Wake]]]:
    found: dict[str, list[tuple[str, Wake]]] = {}
    for plugin in dict.fromkeys(plugins):
        for wake in plugin.wakes():
            found.setdefault(wake.resource, []).append((plugin.name, wake))
    return found
