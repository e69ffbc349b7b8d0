"""Variables from files that another container wrote, and the fields and resources of the downward API."""

import os
from pathlib import Path
from typing import Any

import pytest

from kubeling.objects.meta import Object
from runtime.pods.environment.downward import PodFacts, format_map, resource_value
from runtime.pods.environment.env_file import EnvFileError, value_in
from runtime.tests.pod_node import PodNode, a_container, a_pod, pod_node
from runtime.volumes.confined import open_plain, read_file

ENV = """# what init wrote

   COLOR='red'
LINES='one
  two # no comment
'
EMPTY=''
QUOTES='a "b" $C \\\\d'   # a comment
"""


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("COLOR", "red"),
        ("LINES", "one\n  two # no comment\n"),
        ("EMPTY", ""),
        ("QUOTES", 'a "b" $C \\\\d'),
        ("ABSENT", ""),
    ],
)
def test_values_are_read_from_a_file_of_variables(key: str, value: str) -> None:
    assert value_in(ENV, key) == value


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("A='1'\n='2'\nKEY='3'", "invalid environment variable format at line 2"),
        ("nonsense\nKEY='1'", "invalid environment variable format at line 1"),
        ("A ='1'\nKEY='2'", "whitespace before '=' is not allowed at line 1"),
        ("KEY=bare", "value must be enclosed in single quotes at line 1"),
        ('KEY="double"', "value must be enclosed in single quotes at line 1"),
        ("A='x\ny'\nKEY='one''two'", "unexpected content after closing quote at line 3"),
        ("KEY='one'two", "unexpected content after closing quote at line 1"),
        ("KEY='open\n", "unexpected content after closing quote at line 1"),
    ],
)
def test_what_a_shell_would_read_otherwise_is_an_error(text: str, why: str) -> None:
    with pytest.raises(EnvFileError) as caught:
        value_in(text, "KEY")
    assert str(caught.value) == why


def test_what_follows_the_value_does_not_matter() -> None:
    assert value_in("KEY='here'\nbroken", "KEY") == "here"


# --- files that containers wrote ---


def test_no_symlink_leads_out_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("secret")
    inside = tmp_path / "volume"
    (inside / "sub").mkdir(parents=True)
    (inside / "real").write_text("mine")
    (inside / "sub/absolute").symlink_to("/real")
    (inside / "up").symlink_to("../outside")
    (inside / "host").symlink_to(tmp_path / "outside")
    assert read_file(inside, "sub/absolute", most=100) == b"mine"
    assert read_file(inside, "../../real", most=2) == b"mi"
    for name in ("up", "host"):
        with pytest.raises(FileNotFoundError):
            read_file(inside, name, most=100)


def test_a_file_behind_a_link_is_not_opened(tmp_path: Path) -> None:
    directory = tmp_path / "pod/container"
    directory.mkdir(parents=True)
    (directory / "0.log").write_text("line")
    os.close(open_plain(directory / "0.log"))
    (directory / "1.log").symlink_to(directory / "0.log")
    (tmp_path / "linked").symlink_to(directory.parent)
    for path in (directory / "1.log", tmp_path / "linked/container/0.log"):
        with pytest.raises(OSError, match="symbolic links"):
            open_plain(path)


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for name in ("fifo", "."):
        with pytest.raises(OSError, match="no regular file"):
            read_file(tmp_path, name, most=100)


def from_file(key: str, **selector: Any) -> Object:
    file = {"volumeName": "shared", "path": "vars", "key": key, **selector}
    return {"name": key, "valueFrom": {"fileKeyRef": file}}


async def started(node: PodNode, *env: Object) -> None:
    """A pod whose volume has the file before the container is made."""
    pod = a_pod(containers=[a_container(env=list(env))], volumes=[{"name": "shared", "emptyDir": {}}])
    pod["metadata"]["uid"] = "u"
    file = node.root / "pods/u/volumes/kubernetes.io~empty-dir/shared/vars"
    file.parent.mkdir(parents=True)
    file.write_text(ENV)
    node.create(pod)


async def test_a_variable_comes_from_a_file(tmp_path: Path) -> None:
    async with pod_node(tmp_path) as node:
        await started(node, from_file("COLOR"), from_file("ABSENT", optional=True))
        await node.running()
        held = {each.key: each.value for each in node.runtime.configs[node.runtime.named("main")[0].id].envs}
        assert held == {"COLOR": "red"}


@pytest.mark.parametrize(
    ("selector", "why"),
    [
        ({}, 'environment variable key "ABSENT" not found in file "'),
        ({"path": "elsewhere"}, "couldn't parse env file"),
        ({"volumeName": "none"}, 'cannot find the volume "none" referenced by FileKeyRef'),
    ],
    ids=["key", "file", "volume"],
)
async def test_a_variable_that_no_file_has_holds_the_container(
    tmp_path: Path, selector: Object, why: str
) -> None:
    async with pod_node(tmp_path) as node:
        await started(node, from_file("ABSENT", **selector))
        await node.until(lambda: node.waiting() == "CreateContainerConfigError")
        assert node.container()["state"]["waiting"]["message"].startswith(why)


# --- the downward API ---


@pytest.mark.parametrize(
    ("pod", "resource", "value"),
    [
        ({}, "limits.cpu", "4"),
        ({"spec": {"resources": {"limits": {"cpu": "2500m"}}}}, "limits.cpu", "3"),
        ({}, "limits.hugepages-2Mi", "0"),
        ({}, "requests.memory", "0"),
    ],
    ids=["node", "pod", "pages", "request"],
)
def test_a_limit_that_is_not_set_is_the_pods_or_the_nodes(pod: Object, resource: str, value: str) -> None:
    facts = PodFacts(allocatable={"cpu": "4", "hugepages-2Mi": "8Mi", "memory": "8Gi"})
    assert resource_value(pod, {"name": "c"}, {"resource": resource}, facts) == value


def test_labels_are_quoted_as_in_go() -> None:
    assert format_map({"b": 'say "hi"\n', "a": "ü\x01\u00a0"}) == 'a="ü\\x01\\u00a0"\nb="say \\"hi\\"\\n"'
