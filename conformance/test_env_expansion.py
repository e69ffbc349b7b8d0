"""`$(NAME)` in values, commands, arguments and subPathExpr; what an image runs when a pod says otherwise."""

import pytest

from conformance import pods
from conformance.rest import Object
from conformance.space import Space

pytestmark = pytest.mark.usefixtures("containers")
NAMES: list[Object] = [
    {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    {"name": "PLACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.annotations['mysubpath']"}}},
    {"name": "GREETING", "value": "good day"},
]
SHARED = {"volumes": [{"name": "work", "emptyDir": {}}]}


def named(space: Space, name: str, **more: object) -> Object:
    """A container without a command of its own."""
    return {"name": name, "image": space.image, **more}


@pytest.fixture(scope="module")
def said(shared_space: Space) -> dict[str, str]:
    """What the containers of one pod said, by name."""
    env = [
        *NAMES,
        {"name": "NESTED", "value": "[$(GREETING)] $$(GREETING) $(UNKNOWN) $$$(POD_NAME) $( $"},
        {"name": "TWICE", "value": "$(NESTED)"},
    ]
    show = ["sh", "-c", 'printf "%s\\n" "$NESTED" "$TWICE"']
    words = ["$(GREETING)", "$$(GREETING)", "$(UNKNOWN)", "$$$(POD_NAME)", "a$(POD_NAME)b"]
    return shared_space.run_all(
        "said",
        named(shared_space, "env", command=show, env=env),
        named(shared_space, "command", command=["sh", "-c", "echo $(GREETING) of $(POD_NAME)"], env=env),
        named(shared_space, "args", command=["printf", "%s|"], args=words, env=env),
        named(shared_space, "image"),
        named(shared_space, "only-args", args=["echo", "by", "args"]),
        named(shared_space, "only-command", command=["echo", "by command"]),
        named(shared_space, "both", command=["echo"], args=["by", "both"]),
    )


def test_values_of_variables(said: dict[str, str]) -> None:
    expanded = "[good day] $(GREETING) $(UNKNOWN) $said $( $"
    assert said["env"].splitlines() == [expanded, expanded]


def test_commands(said: dict[str, str]) -> None:
    assert said["command"] == "good day of said\n"


def test_arguments(said: dict[str, str]) -> None:
    assert said["args"] == "good day|$(GREETING)|$(UNKNOWN)|$said|asaidb|"


def test_the_images_command_is_run_when_nothing_is_said(said: dict[str, str]) -> None:
    assert said["image"] == "", "its shell found no input"


def test_the_images_command_is_overridden_in_part_or_whole(said: dict[str, str]) -> None:
    assert said["only-args"] == "by args\n"
    assert said["only-command"] == "by command\n"
    assert said["both"] == "by both\n"


def is_held(pod: Object) -> bool:
    return pods.waiting_reason(pod) == "CreateContainerConfigError"


def mounting(space: Space, expression: str, script: str, env: list[Object] = NAMES) -> Object:
    mounts = [
        {"name": "work", "mountPath": "/whole"},
        {"name": "work", "mountPath": "/part", "subPathExpr": expression},
    ]
    return pods.container(space.image, script, env=env, volumeMounts=mounts)


def test_a_volumes_sub_path(space: Space) -> None:
    script = "echo hello > /part/file; find /whole -type f; cat /whole/in/parted/deep/file"
    log = space.run_all("parted", mounting(space, "in/$(POD_NAME)/deep", script), **SHARED)["main"]
    assert log == "/whole/in/parted/deep/file\nhello\n"


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("$(PLACE)/x", "missing value for PLACE"),
        ("$(UNKNOWN)", "missing value for UNKNOWN"),
        ("$(ABSOLUTE)", "error SubPath `/tmp` must not be an absolute path"),
        ("$(UP)", "unable to provision SubPath `..`: must not contain '..'"),
    ],
    ids=["empty", "unknown", "absolute", "up"],
)
def test_a_sub_path_that_cannot_be_holds_the_container(space: Space, expression: str, why: str) -> None:
    env = [*NAMES, {"name": "ABSOLUTE", "value": "/tmp"}, {"name": "UP", "value": ".."}]
    space.create(pods.pod("held", mounting(space, expression, "true", env), **SHARED))
    pod = space.until("held", is_held, what="is held")
    assert pods.status_of(pod)["state"]["waiting"]["message"] == why


def test_a_sub_path_of_backticks_is_a_name_like_others(space: Space) -> None:
    log = space.run_all("ticks", mounting(space, "`$(POD_NAME)`", "ls /whole"), **SHARED)["main"]
    assert log == "`ticks`\n"


def test_a_sub_path_that_failed_works_once_the_pod_says_what_it_needs(space: Space) -> None:
    body = pods.pod("mended", mounting(space, "$(PLACE)/$(POD_NAME)", "ls /whole"), **SHARED)
    body["metadata"]["annotations"] = {"notmysubpath": "mypath"}
    space.create(body)
    space.until("mended", is_held, what="is held")
    space.rest.patch(space.path("pods", "mended"), {"metadata": {"annotations": {"mysubpath": "mypath"}}})
    space.phase("mended", "Succeeded")
    assert space.log("mended") == "mypath\n"


def test_a_container_keeps_its_sub_path_when_the_annotation_changes(space: Space) -> None:
    script = "echo again >> /part/log; ls /whole; test $(wc -l < /part/log) -gt 1"
    body = pods.pod("kept", mounting(space, "$(PLACE)", script), **{**SHARED, "restartPolicy": "OnFailure"})
    body["metadata"]["annotations"] = {"mysubpath": "first"}
    space.create(body)
    space.phase("kept", "Succeeded")
    assert space.log("kept") == "first\n"
