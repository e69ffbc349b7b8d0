"""What plug-ins are: the extension points, what they are given, and what they answer.

A filter or score plug-in is asked once per pod what it has to say about it, and answers with a function
that is then asked per node: what it prepared lives in that function. None means that it has nothing to say
about this pod.

          pre_enqueue                 pod may enter the queue
               |
          pre_filter ──> filter       which nodes will do           (else post_filter: preemption)
               |
          pre_score ───> score        which is best, after normalize    (or compare, all at once)
               |
          reserve ──> pre_bind ──> bind                             (else unreserve)
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Flag, auto
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

from kubeling.objects.meta import Object
from server.scheduler.node_state import NodeState
from server.scheduler.placed_pod import SomePod
from server.scheduler.pod_info import PodInfo

if TYPE_CHECKING:
    from server.scheduler.cluster_state import ClusterState

TOP_SCORE = 100


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a node, or every node, will not do, in upstream's words."""

    plugin: str
    reasons: tuple[str, ...]
    resolvable: bool = False
    """Whether it could do if pods were removed from it."""


NodeFilter = Callable[[NodeState], Rejection | None]
"""None when the pod may run on the node."""


class CountingFilter(ABC):
    """A filter whose answer depends on the pods of other nodes, too; open to suppositions about them."""

    @abstractmethod
    def __call__(self, node: NodeState) -> Rejection | None: ...

    @abstractmethod
    def added(self, pod: SomePod, node: NodeState) -> None:
        """Suppose that the pod runs on the node."""

    @abstractmethod
    def removed(self, pod: SomePod, node: NodeState) -> None:
        """Suppose that it does not."""

    @abstractmethod
    def copy(self) -> Self:
        """For suppositions of its own."""


class OnlyNodes(NamedTuple):
    """A filter that is known to pass these nodes at most."""

    names: frozenset[str]
    filter: NodeFilter


Filtering = NodeFilter | OnlyNodes | Rejection | None


@dataclass(frozen=True, slots=True)
class Scoring:
    """How a plug-in compares nodes. Without `normalize` scores go from 0 to TOP_SCORE by themselves."""

    score: Callable[[NodeState], int]
    normalize: Callable[[list[int]], list[int]] | None = None


class Action(Flag):
    """What happened to an object; NONE of them is a heartbeat."""

    ADD = auto()
    DELETE = auto()
    UPDATE = auto()
    """Of anything but a node or a pod."""
    ALLOCATABLE = auto()
    LABELS = auto()
    TAINTS = auto()
    SCALE_DOWN = auto()


class Resources:
    """What cluster events are about, as upstream names it."""

    NODE = "Node"
    ASSIGNED_POD = "AssignedPod"
    CLAIM = "PersistentVolumeClaim"
    VOLUME = "PersistentVolume"
    STORAGE_CLASS = "StorageClass"
    CSI_NODE = "CSINode"
    CSI_DRIVER = "CSIDriver"
    CAPACITY = "CSIStorageCapacity"
    ATTACHMENT = "VolumeAttachment"
    NAMESPACE = "Namespace"


class ClusterEvent(NamedTuple):
    """Something happened; before and after are None where there is no such object. Pods come as they are."""

    resource: str
    action: Action
    old: Object | None = None
    new: Object | None = None

    @property
    def object(self) -> Object:
        return self.new or self.old or {}


Hint = Callable[[PodInfo, ClusterEvent], bool]
"""Whether a pod that the plug-in rejected may fit now."""


class Wake(NamedTuple):
    """Events after which a plug-in may change its mind."""

    resource: str
    actions: Action
    hint: Hint | None = None
    """None: always."""


class Plugin:
    """Says nothing at all: each plug-in overrides the extension points at which it has something to say."""

    name = ""
    points: frozenset[str] = frozenset()
    """The extension points that it takes part in, as KubeSchedulerConfiguration calls them."""
    local = False
    """Whether its answers depend on the pod's own spec and the node alone, so that they can be remembered."""

    def __init__(self, args: Mapping[str, Any], handles: "Handles") -> None:
        """`args` are those of pluginConfig."""

    def pre_filter(self, pod: PodInfo, cluster: "ClusterState") -> Filtering:
        """What to ask each node; a Rejection when no node will do."""
        return None

    def pre_score(self, pod: PodInfo, cluster: "ClusterState") -> Scoring | None:
        """How to score each node by itself."""
        return None

    def compare(self, pod: PodInfo, cluster: "ClusterState", nodes: Sequence[NodeState]) -> list[int] | None:
        """The scores of all nodes together, from 0 to TOP_SCORE: of a plug-in that is not local."""
        return None

    def reserve(self, pod: PodInfo, node: NodeState) -> Rejection | None:
        """The node has been chosen: take what is needed there, until `unreserve` or the binding's end."""
        return None

    def unreserve(self, pod: PodInfo) -> None: ...

    def needs_pre_bind(self, pod: PodInfo) -> bool:
        return False

    async def pre_bind(self, pod: PodInfo, node: str) -> None:
        """What has to be done before the pod is bound.

        Raises:
            PreBindError, ApiError, ConnectionLost: it could not be done.
        """

    def wakes(self) -> Sequence[Wake]:
        """What may let pods fit that it rejected."""
        return ()


class PreBindError(Exception):
    """What has to precede a binding has failed; the text is for people."""


class Lister(Protocol):
    """An informer as plug-ins see it."""

    def get(self, namespace: str, name: str) -> Object | None: ...

    def list(self, namespace: str | None = None) -> list[Object]: ...


def default_normalize(scores: list[int], *, reverse: bool = False) -> list[int]:
    """Scaled so that the greatest becomes TOP_SCORE; or, reversed, the least."""
    most = max(scores, default=0)
    if not most:
        return [TOP_SCORE] * len(scores) if reverse else scores
    scaled = [TOP_SCORE * score // most for score in scores]
    return [TOP_SCORE - score for score in scaled] if reverse else scaled


if TYPE_CHECKING:
    from server.scheduler.handles import Handles
