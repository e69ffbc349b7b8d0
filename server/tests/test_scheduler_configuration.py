"""What a KubeSchedulerConfiguration says, and what is wrong with one."""

from pathlib import Path
from typing import Any

import pytest

from server.scheduler.configuration import Configuration, ConfigurationError, load, parse, standard
from server.scheduler.plugins import DEFAULTS


def configuration(**fields: Any) -> Configuration:
    return parse(
        {"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration", **fields}
    )


def with_plugins(**plugins: Any) -> Configuration:
    return configuration(profiles=[{"plugins": plugins}])


def test_the_standard_is_every_plug_in_with_its_weight() -> None:
    (profile,) = standard().profiles
    assert profile.name == "default-scheduler"
    assert profile.points["score"] == {
        "TaintToleration": 3,
        "NodeAffinity": 2,
        "NodeResourcesFit": 1,
        "PodTopologySpread": 2,
        "InterPodAffinity": 2,
        "NodeResourcesBalancedAllocation": 1,
        "ImageLocality": 1,
    }
    assert {name for each in profile.points.values() for name in each} == {each.name for each, _ in DEFAULTS}


def test_an_empty_configuration_is_the_standard_one() -> None:
    assert configuration() == standard()


def test_several_schedulers() -> None:
    found = configuration(profiles=[{}, {"schedulerName": "second", "percentageOfNodesToScore": 20}])
    assert [(each.name, each.percentage) for each in found.profiles] == [
        ("default-scheduler", None),
        ("second", 20),
    ]


def test_plug_ins_are_disabled_enabled_and_weighed() -> None:
    (profile,) = with_plugins(
        score={"disabled": [{"name": "*"}], "enabled": [{"name": "ImageLocality", "weight": 9}]},
        filter={"disabled": [{"name": "NodePorts"}]},
    ).profiles
    assert profile.points["score"] == {"ImageLocality": 9}
    assert "NodePorts" not in profile.points["filter"]
    assert "NodePorts" in profile.points["preFilter"]


def test_at_many_points_at_once() -> None:
    enabled = [{"name": "NodeResourcesFit", "weight": 4}]
    (profile,) = with_plugins(multiPoint={"disabled": [{"name": "*"}], "enabled": enabled}).profiles
    assert profile.points["score"] == {"NodeResourcesFit": 4}
    assert list(profile.points["filter"]) == ["NodeResourcesFit"]


def test_arguments_and_numbers() -> None:
    found = configuration(
        percentageOfNodesToScore=30,
        podInitialBackoffSeconds=2,
        podMaxBackoffSeconds=20,
        profiles=[{"pluginConfig": [{"name": "InterPodAffinity", "args": {"hardPodAffinityWeight": 5}}]}],
    )
    assert (found.percentage, found.first_backoff, found.longest_backoff) == (30, 2, 20)
    assert found.profiles[0].args == {"InterPodAffinity": {"hardPodAffinityWeight": 5}}


def test_an_extender() -> None:
    managed = [{"name": "example.com/foo", "ignoredByScheduler": True}]
    (extender,) = configuration(
        extenders=[
            {
                "urlPrefix": "http://127.0.0.1:1/scheduler/",
                "filterVerb": "filter",
                "prioritizeVerb": "prioritize",
                "weight": 5,
                "httpTimeout": "100ms",
                "nodeCacheCapable": True,
                "managedResources": managed,
            }
        ]
    ).extenders
    assert (extender.url, extender.filter, extender.weight) == ("http://127.0.0.1:1/scheduler", "filter", 5)
    assert extender.timeout == pytest.approx(0.1)
    assert extender.resources == {"example.com/foo": True}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "Other"}, "must be a KubeSchedulerConfiguration of kubescheduler.config.k8s.io/v1"),
        ({"profile": []}, "there is no field profile"),
        ({"percentageOfNodesToScore": 101}, "percentageOfNodesToScore must be a number from 0 to 100"),
        ({"podInitialBackoffSeconds": 20}, "podMaxBackoffSeconds must be at least podInitialBackoffSeconds"),
        ({"profiles": [{}, {}]}, "profiles[1].schedulerName: default-scheduler is there twice"),
        (
            {"profiles": [{"plugins": {"score": {"enabled": [{"name": "Nope"}]}}}]},
            "profiles[0].plugins.score.enabled: there is no plug-in Nope",
        ),
        (
            {"profiles": [{"plugins": {"score": {"enabled": [{"name": "NodePorts"}]}}}]},
            "plugins.score.enabled: NodePorts does not take part there",
        ),
        (
            {"profiles": [{"pluginConfig": [{"name": "NodeResourcesFit", "args": {"x": 1}}]}]},
            "there is no field profiles[0].pluginConfig[0].args.x",
        ),
        (
            {
                "profiles": [
                    {
                        "pluginConfig": [
                            {"name": "NodeResourcesFit", "args": {"scoringStrategy": {"type": "x"}}}
                        ]
                    }
                ]
            },
            "scoringStrategy.type must be one of",
        ),
        ({"extenders": [{"filterVerb": "f"}]}, "extenders[0].urlPrefix is required"),
        ({"extenders": [{"urlPrefix": "u", "httpTimeout": 5}]}, "extenders[0].httpTimeout is not a duration"),
    ],
    ids=str,
)
def test_a_mistake_is_named(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        configuration(**fields)
    assert message in str(caught.value)


def test_a_file(tmp_path: Path) -> None:
    file = tmp_path / "scheduler.yaml"
    file.write_text(
        "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"
        "leaderElection: {leaderElect: true}\nprofiles:\n- schedulerName: mine\n"
    )
    assert load(file).profiles[0].name == "mine"
    file.write_text("a: [")
    with pytest.raises(ConfigurationError, match="is not YAML"):
        load(file)
    with pytest.raises(ConfigurationError, match="cannot read"):
        load(tmp_path / "absent")
