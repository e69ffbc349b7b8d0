"""KubeletConfiguration (kubelet.config.k8s.io/v1beta1): how the node behaves, with the kubelet's defaults.

Fields bear upstream's names in snake case. Where kubeling's default is another one than upstream's, the field
says why. Not here: what `kubeling up` decides for the node, as its addresses and files (`runtime.config`).
"""

import ipaddress
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from kubeling.objects import durations, quantity
from runtime import sysctls
from runtime.errors import NodeError

logger = logging.getLogger(__name__)

API_VERSION = "kubelet.config.k8s.io/v1beta1"
KIND = "KubeletConfiguration"
ANY_KERNEL = (99,)
IDS_UNIT = 65536

EVICTION_HARD = {
    "memory.available": "100Mi",
    "nodefs.available": "10%",
    "nodefs.inodesFree": "5%",
    "imagefs.available": "15%",
    "imagefs.inodesFree": "5%",
}
SIGNALS = frozenset(
    {
        *EVICTION_HARD,
        "allocatableMemory.available",
        "containerfs.available",
        "containerfs.inodesFree",
        "pid.available",
    }
)

WITHOUT_EFFECT = frozenset(
    {
        "address",
        "authentication",
        "authorization",
        "cgroupDriver",
        "cgroupRoot",
        "cgroupsPerQOS",
        "configMapAndSecretChangeDetectionStrategy",
        "containerLogMaxWorkers",
        "containerRuntimeEndpoint",
        "contentType",
        "cpuManagerPolicy",
        "enableControllerAttachDetach",
        "enableDebuggingHandlers",
        "enableProfilingHandler",
        "enableSystemLogQuery",
        "eventBurst",
        "eventRecordQPS",
        "failSwapOn",
        "fileCheckFrequency",
        "hairpinMode",
        "healthzBindAddress",
        "healthzPort",
        "httpCheckFrequency",
        "imageServiceEndpoint",
        "kernelMemcgNotification",
        "kubeAPIBurst",
        "kubeAPIQPS",
        "kubeReservedCgroup",
        "kubeletCgroups",
        "localStorageCapacityIsolation",
        "logging",
        "makeIPTablesUtilChains",
        "maxOpenFiles",
        "memoryManagerPolicy",
        "nodeLeaseDurationSeconds",
        "nodeStatusReportFrequency",
        "nodeStatusUpdateFrequency",
        "oomScoreAdj",
        "podCIDR",
        "port",
        "protectKernelDefaults",
        "readOnlyPort",
        "registerNode",
        "reservedSystemCPUs",
        "rotateCertificates",
        "serverTLSBootstrap",
        "streamingConnectionIdleTimeout",
        "syncFrequency",
        "systemCgroups",
        "systemReservedCgroup",
        "tlsCertFile",
        "tlsCipherSuites",
        "tlsMinVersion",
        "tlsPrivateKeyFile",
        "topologyManagerPolicy",
        "volumePluginDir",
        "volumeStatsAggPeriod",
    }
)
"""Fields of upstream's that are accepted, and change nothing here."""


class KubeletConfigurationError(NodeError):
    """The file cannot be used; the text says which field is wrong."""


Parser = Callable[[Any, str], Any]


def _wrong(path: str, what: str, value: Any) -> KubeletConfigurationError:
    return KubeletConfigurationError(f"{path} must be {what}, not {value!r}")


def _seconds(value: Any, path: str) -> float:
    try:
        return durations.parse(str(value))
    except ValueError as error:
        raise _wrong(path, "a duration such as 10s", value) from error


def _number(value: Any, path: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(path, "a number", value)
    return value


def _fraction(value: Any, path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(path, "a number", value)
    return float(value)


def _switch(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise _wrong(path, "true or false", value)
    return value


def _word(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise _wrong(path, "a text", value)
    return value


def _amount(value: Any, path: str) -> str:
    try:
        quantity.parse(value)
    except (ValueError, TypeError) as error:
        raise _wrong(path, "a quantity such as 10Mi", value) from error
    return str(value)


def _words(value: Any, path: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise _wrong(path, "a list of texts", value)
    return tuple(value)


def _objects(value: Any, path: str) -> tuple[Mapping[str, Any], ...]:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise _wrong(path, "a list of objects", value)
    return tuple(value)


def _mapping(value: Any, path: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(path, "an object", value)
    return value


def _amounts(value: Any, path: str) -> Mapping[str, str]:
    return {key: _amount(each, f"{path}[{key}]") for key, each in _mapping(value, path).items()}


def _thresholds(value: Any, path: str) -> Mapping[str, str]:
    """By eviction signal: quantities, or percentages of the capacity."""
    return {key: _threshold(key, each, f"{path}[{key}]") for key, each in _mapping(value, path).items()}


def _threshold(signal: str, value: Any, path: str) -> str:
    if signal not in SIGNALS:
        raise KubeletConfigurationError(f"{path}: there is no eviction signal of that name")
    if re.fullmatch(r"\d+(\.\d+)?%", str(value)):
        if float(str(value).rstrip("%")) > 100:
            raise _wrong(path, "at most 100%", value)
        return str(value)
    return _amount(value, path)


def _grace_periods(value: Any, path: str) -> Mapping[str, float]:
    return {key: _seconds(each, f"{path}[{key}]") for key, each in _mapping(value, path).items()}


def _sysctl_patterns(value: Any, path: str) -> tuple[str, ...]:
    patterns = _words(value, path)
    try:
        sysctls.allowed(ANY_KERNEL, patterns)
    except sysctls.SysctlError as error:
        raise KubeletConfigurationError(f"{path}: {error}") from error
    return patterns


def _addresses(value: Any, path: str) -> tuple[str, ...]:
    for each in _words(value, path):
        try:
            ipaddress.ip_address(each)
        except ValueError as error:
            raise _wrong(path, "a list of IP addresses", value) from error
    return tuple(value)


def _ids_per_pod(value: Any, path: str) -> Mapping[str, Any]:
    number = _number(_mapping(value, path).get("idsPerPod", IDS_UNIT), f"{path}.idsPerPod")
    if number <= 0 or number % IDS_UNIT:
        raise _wrong(f"{path}.idsPerPod", f"a multiple of {IDS_UNIT}", number)
    return _mapping(value, path)


def _of(parser: Parser, default: Any) -> Any:
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata={"parser": parser})
    return field(default=default, metadata={"parser": parser})


@dataclass(frozen=True, slots=True)
class KubeletConfiguration:
    """Durations are in seconds."""

    allowed_unsafe_sysctls: tuple[str, ...] = _of(_sysctl_patterns, ())
    cluster_dns: tuple[str, ...] = _of(_addresses, ())
    cluster_domain: str = _of(_word, "cluster.local")
    container_log_max_files: int = _of(_number, 5)
    container_log_max_size: str = _of(_amount, "10Mi")
    container_log_monitor_interval: float = _of(_seconds, 10.0)
    cpu_cfs_quota: bool = _of(_switch, True)
    cpu_cfs_quota_period: float = _of(_seconds, 0.1)
    crash_loop_back_off: Mapping[str, Any] = _of(_mapping, {})
    """`maxContainerRestartPeriod`."""
    enable_system_log_handler: bool = _of(_switch, True)
    enforce_node_allocatable: tuple[str, ...] = _of(_words, ("pods",))
    eviction_hard: Mapping[str, str] = _of(_thresholds, EVICTION_HARD)
    eviction_max_pod_grace_period: int = _of(_number, 0)
    eviction_minimum_reclaim: Mapping[str, str] = _of(_thresholds, {})
    eviction_pressure_transition_period: float = _of(_seconds, 300.0)
    eviction_soft: Mapping[str, str] = _of(_thresholds, {})
    eviction_soft_grace_period: Mapping[str, float] = _of(_grace_periods, {})
    feature_gates: Mapping[str, Any] = _of(_mapping, {})
    """Of those that upstream leaves off `MemoryQoS` is known; others are as they are by default."""
    image_gc_high_threshold_percent: int = _of(_number, 85)
    image_gc_low_threshold_percent: int = _of(_number, 80)
    image_maximum_gc_age: float = _of(_seconds, 0.0)
    image_minimum_gc_age: float = _of(_seconds, 120.0)
    image_pull_credentials_verification_policy: str = _of(_word, "NeverVerifyPreloadedImages")
    kube_reserved: Mapping[str, str] = _of(_amounts, {})
    max_parallel_image_pulls: int = _of(_number, 5)
    """Upstream pulls one image at a time. Here one slow image does not hold up the others."""
    max_pods: int = _of(_number, 110)
    memory_swap: Mapping[str, Any] = _of(_mapping, {})
    """`swapBehavior`."""
    memory_throttling_factor: float = _of(_fraction, 0.9)
    merge_default_eviction_settings: bool = _of(_switch, False)
    node_status_max_images: int = _of(_number, 50)
    pod_pids_limit: int = _of(_number, -1)
    pods_per_core: int = _of(_number, 0)
    preloaded_images_verification_allowlist: tuple[str, ...] = _of(_words, ())
    provider_id: str = _of(_word, "")
    register_with_taints: tuple[Mapping[str, Any], ...] = _of(_objects, ())
    registry_burst: int = _of(_number, 10)
    registry_pull_qps: int = _of(_number, 5)
    resolv_conf: str = _of(_word, "/etc/resolv.conf")
    runtime_request_timeout: float = _of(_seconds, 120.0)
    seccomp_default: bool = _of(_switch, False)
    serialize_image_pulls: bool = _of(_switch, False)
    """Upstream's default is true: see `max_parallel_image_pulls`."""
    shutdown_grace_period: float = _of(_seconds, 0.0)
    shutdown_grace_period_by_pod_priority: tuple[Mapping[str, Any], ...] = _of(_objects, ())
    shutdown_grace_period_critical_pods: float = _of(_seconds, 0.0)
    single_process_oom_kill: bool = _of(_switch, False)
    static_pod_path: str = _of(_word, "")
    system_reserved: Mapping[str, str] = _of(_amounts, {})
    user_namespaces: Mapping[str, Any] = _of(_ids_per_pod, {})
    """`idsPerPod`."""

    def document(self) -> dict[str, Any]:
        """As the API's object, for `/configz`."""
        made = {upstream_name(each.name): _shown(self, each) for each in fields(self)}
        return {"apiVersion": API_VERSION, "kind": KIND, **made}


_ABBREVIATIONS = {
    "cfs": "CFS",
    "dns": "DNS",
    "gc": "GC",
    "id": "ID",
    "oom": "OOM",
    "qps": "QPS",
}


def upstream_name(name: str) -> str:
    """`image_gc_low_threshold_percent` is upstream's `imageGCLowThresholdPercent`."""
    first, *others = name.split("_")
    return first + "".join(_ABBREVIATIONS.get(each, each.capitalize()) for each in others)


def _shown(configuration: KubeletConfiguration, each: Any) -> Any:
    value, parser = getattr(configuration, each.name), each.metadata["parser"]
    if parser is _seconds:
        return durations.text(value)
    if parser is _grace_periods:
        return {key: durations.text(seconds) for key, seconds in value.items()}
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else value


def load(path: Path) -> KubeletConfiguration:
    """Read a configuration in YAML or JSON.

    Raises:
        KubeletConfigurationError: the file cannot be read, or says something that is not understood.
    """
    import yaml

    try:
        data = yaml.safe_load(path.read_text())
    except OSError as error:
        raise KubeletConfigurationError(f"cannot read {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise KubeletConfigurationError(f"{path} is not YAML: {error}") from error
    try:
        return parse(data)
    except KubeletConfigurationError as error:
        raise KubeletConfigurationError(f"{path}: {error}") from error


def parse(data: Any) -> KubeletConfiguration:
    """Raises: KubeletConfigurationError."""
    if not isinstance(data, dict) or (data.get("apiVersion"), data.get("kind")) != (API_VERSION, KIND):
        raise KubeletConfigurationError(f"the configuration must be a {KIND} of {API_VERSION}")
    known = {upstream_name(each.name): each for each in fields(KubeletConfiguration)}
    given: dict[str, Any] = {}
    for key, value in data.items():
        if key in known and value is not None:
            given[known[key].name] = known[key].metadata["parser"](value, key)
        elif key in WITHOUT_EFFECT:
            logger.warning("the kubelet configuration's field %s has no effect here", key)
        elif key not in known and key not in ("apiVersion", "kind"):
            raise KubeletConfigurationError(f"there is no field {key}")
    made = KubeletConfiguration(**_with_default_thresholds(given))
    _check(made)
    return made


def _with_default_thresholds(given: dict[str, Any]) -> dict[str, Any]:
    """Upstream's rule: what is set for hard eviction stands alone, unless the defaults are to be merged."""
    if given.get("merge_default_eviction_settings") and "eviction_hard" in given:
        return {**given, "eviction_hard": {**EVICTION_HARD, **given["eviction_hard"]}}
    return given


def _restarts_in_time(made: KubeletConfiguration) -> bool:
    given = made.crash_loop_back_off.get("maxContainerRestartPeriod", "300s")
    return 1 <= _seconds(given, "crashLoopBackOff.maxContainerRestartPeriod") <= 300


def _check(made: KubeletConfiguration) -> None:
    high, low = made.image_gc_high_threshold_percent, made.image_gc_low_threshold_percent
    wrong = {
        "imageGCHighThresholdPercent must be from 0 to 100": not 0 <= high <= 100,
        "imageGCLowThresholdPercent must be from 0 to 100": not 0 <= low <= 100,
        "imageGCLowThresholdPercent must be below imageGCHighThresholdPercent": low >= high,
        "imageMaximumGCAge must be greater than imageMinimumGCAge": (
            0 < made.image_maximum_gc_age <= made.image_minimum_gc_age
        ),
        "containerLogMaxFiles must be greater than 1": made.container_log_max_files < 2,
        "containerLogMonitorInterval must be at least 3s": made.container_log_monitor_interval < 3,
        "crashLoopBackOff.maxContainerRestartPeriod must be from 1s to 300s": not _restarts_in_time(made),
        "maxPods must not be negative": made.max_pods < 0,
        "maxParallelImagePulls must be positive": made.max_parallel_image_pulls < 1,
        "registryPullQPS must not be negative": made.registry_pull_qps < 0,
        "evictionSoft needs an evictionSoftGracePeriod for each of its signals": bool(
            made.eviction_soft.keys() - made.eviction_soft_grace_period.keys()
        ),
        "shutdownGracePeriodCriticalPods must not be above shutdownGracePeriod": (
            made.shutdown_grace_period_critical_pods > made.shutdown_grace_period
        ),
    }
    found = [text for text, is_wrong in wrong.items() if is_wrong]
    if found:
        raise KubeletConfigurationError("; ".join(found))
