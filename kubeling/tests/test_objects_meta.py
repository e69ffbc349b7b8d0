from datetime import UTC, datetime

import pytest

from kubeling.objects import conditions, errors, meta, names
from kubeling.objects.clock import FakeClock
from kubeling.objects.expansion import expand
from kubeling.objects.tasks import Tasks

NOW = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)


def test_timestamps_go_there_and_back() -> None:
    assert meta.timestamp(NOW) == "2026-01-02T03:04:05Z"
    assert meta.micro_timestamp(NOW) == "2026-01-02T03:04:05.000678Z"
    assert meta.parse_timestamp("2026-01-02T04:04:05.000678+01:00") == NOW
    with pytest.raises(ValueError, match="no time zone"):
        meta.parse_timestamp("2026-01-02T03:04:05")


def test_keys_go_there_and_back() -> None:
    pod = {"metadata": {"name": "p", "namespace": "n"}}
    assert meta.key(pod) == "n/p"
    assert meta.split_key("n/p") == ("n", "p")
    assert meta.split_key("node-1") == ("", "node-1")


def test_a_condition_keeps_its_transition_time_until_its_status_changes() -> None:
    obj: meta.Object = {}
    assert conditions.set_condition(obj, "Ready", "False", reason="A", now=NOW)
    first = meta.timestamp(NOW)
    later = NOW.replace(year=2027)
    assert conditions.set_condition(obj, "Ready", "False", reason="B", message="m", now=later)
    assert obj["status"]["conditions"][0]["lastTransitionTime"] == first
    assert not conditions.set_condition(obj, "Ready", "False", reason="B", message="m", now=later)
    assert conditions.set_condition(obj, "Ready", "True", now=later)
    assert conditions.find(obj, "Ready") == {
        "type": "Ready",
        "status": "True",
        "lastTransitionTime": meta.timestamp(later),
    }
    assert conditions.is_true(obj, "Ready")


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$(A)-$(B)", "1-2"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$(C) $A $(A", "$(C) $A $(A"),
        ("100$", "100$"),
        ("$(A)$$", "1$"),
    ],
)
def test_references_expand_as_the_kubelet_does(text: str, expanded: str) -> None:
    assert expand(text, {"A": "1", "B": "2"}) == expanded


def test_names_are_refused_in_upstreams_words() -> None:
    assert names.subdomain_errors("a.b-c.9") == []
    assert names.subdomain_errors("Bad_Name") == [
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.',"
        " and must start and end with an alphanumeric character (e.g. 'example.com', regex used"
        " for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
    ]
    assert names.label_errors("x" * 64) == ["must be no more than 63 bytes"]
    assert "(e.g. 'my-name',  or '123-abc', regex" in names.label_errors("-")[0]
    assert names.qualified_name_errors("example.com/Name_1") == []
    assert names.qualified_name_errors("/x") == ["prefix part must be non-empty"]
    assert len(names.qualified_name_errors("a/b/c")) == 1
    assert names.path_segment_errors("a/b%") == ["may not contain '/'", "may not contain '%'"]
    assert names.config_key_errors("..a") == ["must not start with '..'"]


def test_an_error_survives_its_status() -> None:
    pods = errors.GroupResource("", "pods")
    error = errors.ApiError.from_status(errors.not_found(pods, "p").status())
    assert isinstance(error, errors.NotFound)
    assert error.message == 'pods "p" not found'
    assert error.details == {"name": "p", "kind": "pods"}
    assert isinstance(errors.ApiError.from_status({"code": 409}), errors.Conflict)
    assert isinstance(errors.ApiError.from_status({"code": 410, "reason": "Gone"}), errors.Expired)


def test_an_invalid_object_lists_its_causes_as_kubectl_prints_them() -> None:
    causes = [
        errors.Cause("spec.a", "FieldValueRequired", "Required value"),
        errors.Cause("spec.b", "FieldValueInvalid", 'Invalid value: "x": no'),
    ]
    assert errors.invalid("Pod", "p", causes[:1]).message == 'Pod "p" is invalid: spec.a: Required value'
    assert errors.invalid("Deployment", "d", causes, group="apps").message == (
        'Deployment.apps "d" is invalid: [spec.a: Required value, spec.b: Invalid value: "x": no]'
    )


async def test_a_fake_clock_wakes_sleepers_in_order() -> None:
    clock, woken = FakeClock(), list[float]()

    async def sleeper(seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(clock.monotonic())

    async with Tasks("test") as tasks:
        for seconds in (3, 1, 2):
            tasks.start(sleeper(seconds), name=f"sleep-{seconds}")
        await clock.advance(2.5)
        assert woken == [1, 2]
        assert clock.sleepers == 1
        await clock.advance(1)
    assert woken == [1, 2, 3]


async def test_a_failing_task_is_logged_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()

    async def failing() -> None:
        raise ValueError("broken")

    async with Tasks("owner") as tasks:
        tasks.start(failing(), name="bad")
        sleeping = tasks.start(clock.sleep(5), name="good")
        await clock.advance(1)
        assert "task owner/bad failed" in caplog.text
        assert len(tasks) == 1
    assert sleeping.cancelled()
    with pytest.raises(RuntimeError, match="has been stopped"):
        tasks.start(clock.sleep(1), name="late")
