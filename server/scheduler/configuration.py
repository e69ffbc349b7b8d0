"""KubeSchedulerConfiguration (kubescheduler.config.k8s.io/v1): which plug-ins each scheduler's name has,
and how.

Not here: what the plug-ins do with their arguments.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kubeling.objects import durations
from server.scheduler.plugins import DEFAULTS
from server.scheduler.pod_info import DEFAULT_SCHEDULER
from server.scheduler.queue import FIRST_BACKOFF, LONGEST_BACKOFF

API_VERSION = "kubescheduler.config.k8s.io/v1"
KIND = "KubeSchedulerConfiguration"
POINTS = (
    "preEnqueue",
    "queueSort",
    "preFilter",
    "filter",
    "postFilter",
    "preScore",
    "score",
    "reserve",
    "permit",
    "preBind",
    "bind",
    "postBind",
)
PLUGINS = {plugin.name: plugin for plugin, _ in DEFAULTS}
_WEIGHTS = {plugin.name: weight for plugin, weight in DEFAULTS}
_IGNORED = {
    "parallelism",
    "leaderElection",
    "clientConnection",
    "healthzBindAddress",
    "metricsBindAddress",
    "enableProfiling",
    "enableContentionProfiling",
    "delayCacheUntilActive",
}
"""What concerns the process, not the decisions."""

_ARGS: Mapping[str, frozenset[str]] = {
    "NodeResourcesFit": frozenset({"ignoredResources", "ignoredResourceGroups", "scoringStrategy"}),
    "NodeResourcesBalancedAllocation": frozenset({"resources"}),
    "InterPodAffinity": frozenset({"hardPodAffinityWeight", "ignorePreferredTermsOfExistingPods"}),
    "NodeAffinity": frozenset({"addedAffinity"}),
    "PodTopologySpread": frozenset({"defaultConstraints", "defaultingType"}),
    "DefaultPreemption": frozenset({"minCandidateNodesPercentage", "minCandidateNodesAbsolute"}),
    "VolumeBinding": frozenset({"bindTimeoutSeconds", "shape"}),
}


class ConfigurationError(ValueError):
    """The configuration cannot be used; the text says which field and why."""


@dataclass(frozen=True, slots=True)
class ProfileConfiguration:
    name: str
    points: Mapping[str, Mapping[str, int]]
    """By extension point, the plug-ins in order, with their weights."""
    args: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    percentage: int | None = None


@dataclass(frozen=True, slots=True)
class ExtenderConfiguration:
    url: str
    filter: str = ""
    prioritize: str = ""
    preempt: str = ""
    bind: str = ""
    weight: int = 1
    timeout: float = 5.0
    """Seconds."""
    node_cache_capable: bool = False
    ignorable: bool = False
    resources: Mapping[str, bool] = field(default_factory=dict)
    """Those that it manages, and whether the scheduler is to ignore them itself; none means all pods."""
    insecure: bool = False
    ca_file: str = ""


@dataclass(frozen=True, slots=True)
class Configuration:
    profiles: tuple[ProfileConfiguration, ...]
    percentage: int | None = None
    """Of nodes to score; None is adaptive."""
    first_backoff: float = FIRST_BACKOFF
    longest_backoff: float = LONGEST_BACKOFF
    extenders: tuple[ExtenderConfiguration, ...] = ()


def standard() -> Configuration:
    return Configuration((ProfileConfiguration(DEFAULT_SCHEDULER, _points({}, "profiles[0].plugins")),))


def load(path: Path) -> Configuration:
    """Read a configuration in YAML or JSON.

    Raises:
        ConfigurationError: the file cannot be read, or says something that is not understood.
    """
    import yaml

    try:
        data = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path} is not YAML: {error}") from error
    return parse(data)


def parse(data: Any) -> Configuration:
    """Raises ConfigurationError."""
    if not isinstance(data, dict) or (data.get("apiVersion"), data.get("kind")) != (API_VERSION, KIND):
        raise ConfigurationError(f"the configuration must be a {KIND} of {API_VERSION}")
    _known(
        data,
        {
            "apiVersion",
            "kind",
            "profiles",
            "percentageOfNodesToScore",
            "podInitialBackoffSeconds",
            "podMaxBackoffSeconds",
            "extenders",
            *_IGNORED,
        },
        "",
    )
    first = _number(data, "podInitialBackoffSeconds", FIRST_BACKOFF, least=1)
    longest = _number(data, "podMaxBackoffSeconds", LONGEST_BACKOFF, least=1)
    if longest < first:
        raise ConfigurationError("podMaxBackoffSeconds must be at least podInitialBackoffSeconds")
    return Configuration(
        _profiles(data.get("profiles")),
        _percentage(data, ""),
        first,
        longest,
        tuple(_extender(each, f"extenders[{i}]") for i, each in enumerate(_list(data, "extenders", ""))),
    )


def _profiles(items: Any) -> tuple[ProfileConfiguration, ...]:
    if not items:
        return standard().profiles
    if not isinstance(items, list):
        raise ConfigurationError("profiles must be a list")
    found = tuple(_profile(each, f"profiles[{i}]") for i, each in enumerate(items))
    names = [each.name for each in found]
    for i, name in enumerate(names):
        if name in names[:i]:
            raise ConfigurationError(f"profiles[{i}].schedulerName: {name} is there twice")
    return found


def _profile(item: Any, path: str) -> ProfileConfiguration:
    _known(item, {"schedulerName", "plugins", "pluginConfig", "percentageOfNodesToScore"}, path)
    name = item.get("schedulerName") or DEFAULT_SCHEDULER
    return ProfileConfiguration(
        str(name),
        _points(item.get("plugins") or {}, f"{path}.plugins"),
        _args(_list(item, "pluginConfig", path), f"{path}.pluginConfig"),
        _percentage(item, path),
    )


def _points(plugins: Any, path: str) -> Mapping[str, Mapping[str, int]]:
    """Upstream's rules: what is enabled at a point comes first, then what is enabled at many and not
    disabled."""
    _known(plugins, {"multiPoint", *POINTS}, path)
    several = _several(_plugin_set(plugins, "multiPoint", path))
    return {point: _at_point(point, several, _plugin_set(plugins, point, path)) for point in POINTS}


@dataclass(frozen=True, slots=True)
class _PluginSet:
    enabled: Mapping[str, int]
    disabled: frozenset[str]


def _plugin_set(plugins: Mapping[str, Any], point: str, path: str) -> _PluginSet:
    given, path = plugins.get(point) or {}, f"{path}.{point}"
    _known(given, {"enabled", "disabled"}, path)
    enabled = {_plugin(each, f"{path}.enabled"): each for each in _list(given, "enabled", path)}
    disabled = [str(each.get("name")) for each in _list(given, "disabled", path)]
    for name in disabled:
        if name != "*" and name not in PLUGINS:
            raise ConfigurationError(f"{path}.disabled: there is no plug-in {name}")
    weights = {name: int(each.get("weight") or _WEIGHTS[name] or 1) for name, each in enabled.items()}
    return _PluginSet(weights, frozenset(disabled))


def _plugin(item: Any, path: str) -> str:
    name = str(item.get("name")) if isinstance(item, dict) else ""
    if name not in PLUGINS:
        raise ConfigurationError(f"{path}: there is no plug-in {name or item}")
    return name


def _several(chosen: _PluginSet) -> Mapping[str, int]:
    """Those enabled at all of their points; a default that is named again keeps its place."""
    found = {
        name: chosen.enabled.get(name, weight)
        for name, weight in _WEIGHTS.items()
        if "*" not in chosen.disabled and name not in chosen.disabled
    }
    return {**found, **{name: weight for name, weight in chosen.enabled.items() if name not in found}}


def _at_point(point: str, several: Mapping[str, int], here: _PluginSet) -> Mapping[str, int]:
    for name in here.enabled:
        if point not in PLUGINS[name].points:
            raise ConfigurationError(f"plugins.{point}.enabled: {name} does not take part there")
    rest = {
        name: weight
        for name, weight in several.items()
        if point in PLUGINS[name].points
        and "*" not in here.disabled
        and name not in here.disabled
        and name not in here.enabled
    }
    return {**here.enabled, **rest}


def _args(items: Sequence[Any], path: str) -> Mapping[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for i, item in enumerate(items):
        here = f"{path}[{i}]"
        _known(item, {"name", "args"}, here)
        name = _plugin(item, here)
        args = dict(item.get("args") or {})
        kind = args.pop("kind", f"{name}Args")
        if kind != f"{name}Args" or args.pop("apiVersion", API_VERSION) != API_VERSION:
            raise ConfigurationError(f"{here}.args must be {name}Args of {API_VERSION}")
        _known(args, set(_ARGS.get(name, ())), f"{here}.args")
        _check_args(name, args, f"{here}.args")
        found[name] = args
    return found


def _check_args(name: str, args: Mapping[str, Any], path: str) -> None:
    if name == "NodeResourcesFit":
        _check_strategy(args.get("scoringStrategy") or {}, f"{path}.scoringStrategy")
    if name == "InterPodAffinity":
        _number(args, "hardPodAffinityWeight", 1, least=0, most=100, path=path)
    if name == "PodTopologySpread":
        _check_spreading(args, path)
    if name == "VolumeBinding":
        _number(args, "bindTimeoutSeconds", 600, least=0, path=path)
    if name == "DefaultPreemption":
        _number(args, "minCandidateNodesPercentage", 10, least=0, most=100, path=path)
        _number(args, "minCandidateNodesAbsolute", 100, least=0, path=path)


def _check_strategy(strategy: Any, path: str) -> None:
    _known(strategy, {"type", "resources", "requestedToCapacityRatio"}, path)
    kinds = ("LeastAllocated", "MostAllocated", "RequestedToCapacityRatio")
    if strategy.get("type", kinds[0]) not in kinds:
        raise ConfigurationError(f"{path}.type must be one of {', '.join(kinds)}")
    for i, each in enumerate(_list(strategy, "resources", path)):
        if not isinstance(each, dict) or not each.get("name"):
            raise ConfigurationError(f"{path}.resources[{i}].name is required")
        _number(each, "weight", 1, least=1, most=100, path=f"{path}.resources[{i}]")
    if strategy.get("type") == kinds[2]:
        _check_shape(
            (strategy.get("requestedToCapacityRatio") or {}).get("shape"), f"{path}.requestedToCapacityRatio"
        )


def _check_shape(shape: Any, path: str) -> None:
    if not shape:
        raise ConfigurationError(f"{path}.shape needs at least one point")
    before = -1
    for i, point in enumerate(shape):
        here = f"{path}.shape[{i}]"
        utilization = _number(point, "utilization", 0, least=0, most=100, path=here)
        _number(point, "score", 0, least=0, most=10, path=here)
        if utilization <= before:
            raise ConfigurationError(f"{here}.utilization must be greater than the one before")
        before = int(utilization)


def _check_spreading(args: Mapping[str, Any], path: str) -> None:
    defaulting = args.get("defaultingType", "System")
    if defaulting not in ("System", "List"):
        raise ConfigurationError(f"{path}.defaultingType must be System or List")
    chosen = _list(args, "defaultConstraints", path)
    if chosen and defaulting == "System":
        raise ConfigurationError(f"{path}.defaultConstraints must be empty when defaultingType is System")
    for i, each in enumerate(chosen):
        here = f"{path}.defaultConstraints[{i}]"
        if each.get("labelSelector") is not None:
            raise ConfigurationError(f"{here}.labelSelector must not be set: it follows from each pod")
        if not each.get("topologyKey"):
            raise ConfigurationError(f"{here}.topologyKey is required")
        if each.get("whenUnsatisfiable") not in ("DoNotSchedule", "ScheduleAnyway"):
            raise ConfigurationError(f"{here}.whenUnsatisfiable must be DoNotSchedule or ScheduleAnyway")
        _number(each, "maxSkew", 0, least=1, path=here)


def _extender(item: Any, path: str) -> ExtenderConfiguration:
    known = {"urlPrefix", "filterVerb", "prioritizeVerb", "preemptVerb", "bindVerb", "weight", "httpTimeout"}
    known |= {"nodeCacheCapable", "ignorable", "managedResources", "enableHTTPS", "tlsConfig"}
    _known(item, known, path)
    if not item.get("urlPrefix"):
        raise ConfigurationError(f"{path}.urlPrefix is required")
    if item.get("prioritizeVerb") and not item.get("weight", 1):
        raise ConfigurationError(f"{path}.weight must be positive when there is a prioritizeVerb")
    tls = item.get("tlsConfig") or {}
    return ExtenderConfiguration(
        str(item["urlPrefix"]).rstrip("/"),
        filter=item.get("filterVerb") or "",
        prioritize=item.get("prioritizeVerb") or "",
        preempt=item.get("preemptVerb") or "",
        bind=item.get("bindVerb") or "",
        weight=int(_number(item, "weight", 1, least=0, path=path)),
        timeout=_duration(item.get("httpTimeout") or "5s", f"{path}.httpTimeout"),
        node_cache_capable=bool(item.get("nodeCacheCapable")),
        ignorable=bool(item.get("ignorable")),
        resources={
            str(each["name"]): bool(each.get("ignoredByScheduler"))
            for each in _list(item, "managedResources", path)
        },
        insecure=bool(tls.get("insecure")),
        ca_file=str(tls.get("caFile") or ""),
    )


def _duration(text: Any, path: str) -> float:
    """Seconds, not negative."""
    try:
        seconds = durations.parse(str(text))
    except ValueError:
        seconds = -1.0
    if seconds < 0:
        raise ConfigurationError(f"{path} is not a duration such as 5s: {text!r}")
    return seconds


def _percentage(data: Mapping[str, Any], path: str) -> int | None:
    return int(_number(data, "percentageOfNodesToScore", 0, least=0, most=100, path=path)) or None


def _number(
    data: Mapping[str, Any],
    name: str,
    default: float,
    *,
    least: float,
    most: float = float("inf"),
    path: str = "",
) -> float:
    value = data.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        limits = f"at least {least}" if most == float("inf") else f"from {least} to {most}"
        raise ConfigurationError(f"{_at(path, name)} must be a number {limits}")
    return value


def _list(data: Mapping[str, Any], name: str, path: str) -> Sequence[Any]:
    value = data.get(name) or []
    if not isinstance(value, list):
        raise ConfigurationError(f"{_at(path, name)} must be a list")
    return value


def _known(data: Any, names: set[str], path: str) -> None:
    if not isinstance(data, dict):
        raise ConfigurationError(f"{path or 'the configuration'} must be an object")
    for name in data:
        if name not in names:
            raise ConfigurationError(f"there is no field {_at(path, name)}")


def _at(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
