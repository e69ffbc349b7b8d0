import logging
from pathlib import Path
from typing import Any

import pytest

from runtime.kubelet_configuration import (
    API_VERSION,
    EVICTION_HARD,
    KIND,
    KubeletConfiguration,
    KubeletConfigurationError,
    load,
    parse,
)


def _given(**fields: Any) -> KubeletConfiguration:
    return parse({"apiVersion": API_VERSION, "kind": KIND, **fields})


def test_what_is_not_given_has_the_kubelet_s_defaults() -> None:
    assert _given() == KubeletConfiguration()
    assert KubeletConfiguration().max_pods == 110


def test_fields_are_read_under_upstream_s_names() -> None:
    made = _given(maxPods=5, clusterDNS=["10.0.0.10"], imageMinimumGCAge="1m", registryPullQPS=0)
    assert (made.max_pods, made.cluster_dns, made.image_minimum_gc_age) == (5, ("10.0.0.10",), 60.0)
    assert made.registry_pull_qps == 0


def test_the_document_reads_back_as_itself() -> None:
    made = _given(
        evictionSoft={"memory.available": "5%"}, evictionSoftGracePeriod={"memory.available": "90s"}
    )
    document = made.document()
    assert document["evictionSoftGracePeriod"] == {"memory.available": "1m30s"}
    assert document["cpuCFSQuotaPeriod"] == "100ms"
    assert parse(document) == made


def test_hard_thresholds_replace_the_defaults_unless_they_are_to_be_merged() -> None:
    alone = _given(evictionHard={"pid.available": "5%"})
    merged = _given(evictionHard={"pid.available": "5%"}, mergeDefaultEvictionSettings=True)
    assert alone.eviction_hard == {"pid.available": "5%"}
    assert merged.eviction_hard == {**EVICTION_HARD, "pid.available": "5%"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"maxPod": 5}, "there is no field maxPod"),
        ({"maxPods": "many"}, "maxPods must be a number, not 'many'"),
        ({"imageMinimumGCAge": 10}, "imageMinimumGCAge must be a duration such as 10s, not 10"),
        ({"containerLogMaxSize": "big"}, "containerLogMaxSize must be a quantity such as 10Mi, not 'big'"),
        ({"evictionHard": {"memory": "1Gi"}}, r"evictionHard\[memory\]: there is no eviction signal"),
        ({"evictionSoft": {"memory.available": "1Gi"}}, "evictionSoft needs an evictionSoftGracePeriod"),
        ({"clusterDNS": ["dns.local"]}, "clusterDNS must be a list of IP addresses"),
        ({"userNamespaces": {"idsPerPod": 5}}, "userNamespaces.idsPerPod must be a multiple of 65536"),
        ({"allowedUnsafeSysctls": ["vm.*"]}, r'allowedUnsafeSysctls: the sysctl "vm.\*" are not known to be'),
        ({"imageGCLowThresholdPercent": 90}, "imageGCLowThresholdPercent must be below"),
        ({"evictionMinimumReclaim": {"memory.available": "101%"}}, "must be at most 100%"),
        ({"containerLogMonitorInterval": "1s"}, "containerLogMonitorInterval must be at least 3s"),
        ({"imageMaximumGCAge": "1m"}, "imageMaximumGCAge must be greater than imageMinimumGCAge"),
    ],
    ids=lambda each: each if isinstance(each, str) else next(iter(each)),
)
def test_what_is_wrong_is_said_with_its_field(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(KubeletConfigurationError, match=message):
        _given(**fields)


def test_a_field_that_changes_nothing_here_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        _given(cgroupDriver="systemd")
    assert "the kubelet configuration's field cgroupDriver has no effect here" in caplog.text


def test_errors_of_a_file_name_it(tmp_path: Path) -> None:
    file = tmp_path / "kubelet.yaml"
    with pytest.raises(KubeletConfigurationError, match=f"cannot read {file}: No such file"):
        load(file)
    file.write_text("a: [")
    with pytest.raises(KubeletConfigurationError, match=f"{file} is not YAML"):
        load(file)
    file.write_text("kind: Pod")
    with pytest.raises(KubeletConfigurationError, match=f"{file}: the configuration must be a Kubelet"):
        load(file)
