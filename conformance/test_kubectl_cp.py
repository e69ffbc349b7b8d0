"""kubectl cp: files and directories, both ways, byte-exact."""

import random
from pathlib import Path

import pytest

from conformance.kubectl import Kubectl
from conformance.space import Space

pytestmark = pytest.mark.usefixtures("containers")


def test_a_file_there_and_back(each_kubectl: Kubectl, space: Space, tmp_path: Path) -> None:
    space.run_ready("box")
    data = random.Random(3).randbytes(3_000_000)
    (tmp_path / "out").write_bytes(data)
    each_kubectl("cp", str(tmp_path / "out"), "box:/tmp/file")
    each_kubectl("cp", "box:/tmp/file", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == data


def test_a_directory_there_and_back(each_kubectl: Kubectl, space: Space, tmp_path: Path) -> None:
    space.run_ready("box")
    source = tmp_path / "tree"
    (source / "deep").mkdir(parents=True)
    (source / "one").write_text("1")
    (source / "deep" / "two").write_text("2")
    each_kubectl("cp", str(source), "box:/tmp/tree")
    assert each_kubectl("exec", "box", "--", "cat", "/tmp/tree/deep/two").text == "2"
    each_kubectl("cp", "box:/tmp/tree", str(tmp_path / "back"))
    found = {path.relative_to(tmp_path / "back").as_posix() for path in (tmp_path / "back").rglob("*")}
    assert found == {"one", "deep", "deep/two"}


def test_a_file_that_does_not_exist(kubectl: Kubectl, space: Space, tmp_path: Path) -> None:
    space.run_ready("box")
    kubectl.attempt("cp", "box:/tmp/absent", str(tmp_path / "back"))  # it may end before tar has complained
    assert not (tmp_path / "back").exists()
