"""The command from end to end, with stand-ins for the server and the node agent: up, status, down, clean."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from kubeling.cluster.identity import identify
from kubeling.tests import fake_processes


@dataclass
class Command:
    """`kubeling` with a home, a kubeconfig and processes of its own."""

    home: Path
    environment: dict[str, str]

    @property
    def kubeconfig(self) -> Path:
        return Path(self.environment["KUBECONFIG"])

    def start(self, *arguments: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "kubeling", *arguments],
            env=self.environment,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments: str, code: int = 0) -> str:
        process = self.start(*arguments)
        output, errors = process.communicate(timeout=60)
        assert process.returncode == code, f"{output}\n{errors}"
        assert "Traceback" not in errors
        return output + errors

    def processes(self) -> dict[str, dict[str, int]]:
        processes: dict[str, dict[str, int]] = json.loads(self("status", "-o", "json"))["processes"]
        return processes


def make(directory: Path) -> Command:
    paths = [str(fake_processes.install(directory / "fakes")), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        "KUBELING_HOME": str(directory / "home"),
        "KUBECONFIG": str(directory / "kubeconfig"),
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }
    return Command(directory / "home", environment)


@pytest.fixture
def kubeling(tmp_path: Path) -> Iterator[Command]:
    command = make(tmp_path)
    yield command
    command("clean", "--yes")


@pytest.fixture
def running(kubeling: Command) -> Command:
    kubeling("up", "--detach", "--no-node", "--port", "0")
    return kubeling


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    """A running cluster for tests that leave it as it is."""
    command = make(tmp_path_factory.mktemp("shared"))
    command("up", "--detach", "--no-node", "--port", "0")
    yield command
    command("clean", "--yes")


def test_up_starts_says_what_next_and_sets_the_context(kubeling: Command) -> None:
    output = kubeling("up", "--detach", "--no-node", "--port", "0")
    assert "API server ready at https://127.0.0.1:" in output
    assert "kubectl get namespaces" in output
    assert "\x1b" not in output
    content = yaml.safe_load(kubeling.kubeconfig.read_text())
    assert content["current-context"] == "kubeling"
    assert yaml.safe_load(kubeling("kubeconfig"))["clusters"] == content["clusters"]


def test_up_again_is_harmless(shared: Command) -> None:
    before = shared.processes()
    assert "running already" in shared("up", "--detach", "--no-node")
    assert shared.processes()["server"]["pid"] == before["server"]["pid"]


def test_up_again_writes_the_context_anew_and_says_what_it_does_not_do(running: Command) -> None:
    running.kubeconfig.unlink()
    output = running("up", "--detach", "--port", "1")
    assert "--port has no effect on a cluster that runs" in output
    assert "leaving out --no-node has no effect" in output
    assert yaml.safe_load(running.kubeconfig.read_text())["current-context"] == "kubeling"


def test_an_interrupt_at_any_time_is_quiet_and_leaves_nothing(kubeling: Command) -> None:
    for _ in range(3):
        process = kubeling.start("up", "--no-node", "--port", "0")
        assert process.stderr is not None
        line = process.stderr.readline()
        assert "Starting the API server" in line
        for _ in range(3):
            process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 130, errors
        assert "error" not in errors
    kubeling("status", code=3)


def test_a_kubeconfig_that_cannot_be_written_is_told_before_anything_starts(kubeling: Command) -> None:
    file = kubeling.kubeconfig.parent / "file"
    file.touch()
    output = kubeling("up", "--no-node", "--port", "0", "--kubeconfig", str(file / "config"), code=1)
    assert "Not a directory" in output
    assert "Starting" not in output


def test_clean_says_that_a_database_elsewhere_stays(kubeling: Command, tmp_path: Path) -> None:
    database = tmp_path / "elsewhere.db"
    kubeling("up", "--detach", "--no-node", "--port", "0", "--datastore", f"sqlite:///{database}")
    database.touch()
    assert f"The objects are still in {database}" in kubeling("clean", "--yes")


def test_a_second_foreground_up_is_refused(shared: Command) -> None:
    assert "running or being started already" in shared("up", "--no-node", code=1)


def test_status_tells_processes_and_addresses(shared: Command) -> None:
    text = shared("status")
    assert "fake Ready (192.0.2.2, v1.37.0, fake://1)" in text
    assert all(process["resident"] > 0 for process in shared.processes().values())


def test_down_keeps_the_context_and_clean_removes_it(running: Command) -> None:
    assert f"Stopped; {running.home} keeps its state." in running("down")
    running("status", code=3)
    assert "kubeling" in running.kubeconfig.read_text()
    running("clean")
    assert "kubeling" not in running.kubeconfig.read_text()
    assert not running.home.exists()


def test_the_same_port_is_used_again(running: Command) -> None:
    address = running("status", "-o", "json")
    running("down")
    running("up", "--detach", "--no-node")
    assert json.loads(running("status", "-o", "json"))["api_servers"] == json.loads(address)["api_servers"]


def test_down_without_a_cluster_is_harmless(kubeling: Command) -> None:
    assert "No cluster is running" in kubeling("down")
    assert "There is no cluster" in kubeling("clean")


def test_status_without_a_cluster_says_so_in_json_too(kubeling: Command) -> None:
    process = kubeling.start("status", "-o", "json")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 3
    assert json.loads(output)["running"] is False


def test_a_server_that_does_not_start_shows_why_and_leaves_nothing(kubeling: Command, tmp_path: Path) -> None:
    (tmp_path / "fakes" / "server" / "__main__.py").write_text(fake_processes.BROKEN)
    output = kubeling("up", "--detach", "--no-node", "--port", "0", code=1)
    assert "the server did not start: exit code 4" in output
    assert "the reason for the failure" in output
    kubeling("status", code=3)


def test_a_reason_that_the_server_knows_is_the_error(kubeling: Command, tmp_path: Path) -> None:
    (tmp_path / "fakes" / "server" / "__main__.py").write_text(fake_processes.KNOWING)
    output = kubeling("up", "--detach", "--no-node", "--port", "0", code=1)
    assert "error: the server did not start: the database is damaged\n" in output
    again = kubeling("up", "--detach", "--no-node", "--port", "0", code=1)
    assert again.count("the database is damaged") == 1


def test_foreground_ends_cleanly_on_a_signal(kubeling: Command) -> None:
    process = kubeling.start("up", "--no-node", "--port", "0")
    assert process.stdout is not None
    assert process.stderr is not None
    for line in process.stderr:
        if "Ctrl-C" in line:
            break
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Stopped." in errors
    kubeling("status", code=3)


def test_a_cluster_in_the_foreground_ends_with_its_command(kubeling: Command) -> None:
    process = kubeling.start("up", "--no-node", "--port", "0")
    assert process.stderr is not None
    for line in process.stderr:
        if "Ctrl-C" in line:
            break
    supervisor = identify(kubeling.processes()["supervisor"]["pid"])
    assert supervisor is not None
    process.kill()
    process.communicate()
    assert supervisor.wait_gone(30)


def test_a_killed_supervisor_takes_its_processes_along(running: Command) -> None:
    os.kill(running.processes()["supervisor"]["pid"], signal.SIGKILL)
    running("up", "--detach", "--no-node")
    assert running.processes()["server"]["restarts"] == 0


def test_images_are_sent_to_the_node_and_listed(shared: Command, tmp_path: Path) -> None:
    (tmp_path / "image.tar").write_bytes(b"x" * 3_000_000)
    archive = str(tmp_path / "image.tar")
    assert "Loaded 3000000 bytes" in shared("image", "load", archive, "--node", "fake")
    assert "example/tool:1" in shared("image", "list", "--node", "fake")
    assert "1.5 MB" in shared("image", "list", "--node", "fake")


def test_an_image_may_come_through_a_pipe(shared: Command) -> None:
    process = shared.start("image", "load", "-", "--node", "fake", stdin=subprocess.PIPE)
    output, errors = process.communicate("x" * 100_000, timeout=60)
    assert "Loaded 100000 bytes" in output, errors


def test_an_archive_that_is_not_there_is_wrong_usage(shared: Command) -> None:
    output = shared("image", "load", "nowhere.tar", "--node", "fake", code=2)
    assert "nowhere.tar cannot be read: No such file or directory" in output


def test_the_version_is_told_in_both_ways(shared: Command) -> None:
    assert shared("--version") == shared("version")


def test_a_cluster_without_a_node_says_so(shared: Command) -> None:
    assert "was started without a node" in shared("image", "list", code=1)


def test_an_archive_that_the_node_refuses_is_named(shared: Command, tmp_path: Path) -> None:
    (tmp_path / "image.tar").write_bytes(b"bad")
    assert "image.tar: the archive holds no image" in shared(
        "image", "load", str(tmp_path / "image.tar"), "--node", "fake", code=1
    )


def test_clean_asks_before_it_removes_a_running_cluster(shared: Command) -> None:
    assert "say --yes" in shared("clean", code=1)
    assert shared.processes()


def test_logs_show_what_the_processes_said(shared: Command) -> None:
    assert "serving" in shared("logs", "server")
    assert "server     | serving" in shared("logs")


def test_logs_follow_what_is_added(running: Command) -> None:
    process = running.start("logs", "server", "--follow", "--lines", "0")
    assert process.stdout is not None
    with process:
        running("down")
        running("up", "--detach", "--no-node")
        assert process.stdout.readline() == "serving\n"
        process.kill()


def test_a_log_that_is_emptied_is_followed_from_its_beginning(shared: Command) -> None:
    log = shared.home / "logs" / "containerd.log"
    log.write_text("a long line from before\n")
    process = shared.start("logs", "containerd", "--follow", "--lines", "1")
    assert process.stdout is not None
    with process:
        assert process.stdout.readline() == "a long line from before\n"
        log.write_text("anew\n")
        assert process.stdout.readline() == "anew\n"
        process.kill()


def test_a_malformed_kubeconfig_stops_up_before_anything_runs(kubeling: Command) -> None:
    kubeling.kubeconfig.write_text("contexts: 5\n")
    assert "is not a kubeconfig" in kubeling("up", "--detach", "--no-node", "--port", "0", code=1)
    assert kubeling.kubeconfig.read_text() == "contexts: 5\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["frobnicate"], "No such command"),
        (["up", "--port", "x"], "--port"),
        (["up", "--port", "70000"], "--port"),
        (["image", "load", "/nonexistent.tar"], "/nonexistent.tar"),
        (["logs", "scheduler"], "scheduler"),
        (["up", "--no-node", "--port", "0", "--datastore", "mysql://x"], "is not supported"),
        (["up", "--no-node", "--port", "0", "--cri-endpoint", "/nonexistent.sock"], "no container runtime"),
    ],
)
def test_wrong_usage_is_one_sentence_and_code_2(kubeling: Command, arguments: list[str], words: str) -> None:
    assert words in kubeling(*arguments, code=2)


def test_image_needs_a_running_cluster(kubeling: Command) -> None:
    assert "no cluster is running" in kubeling("image", "list", code=3)


def test_completion_scripts_and_candidates(kubeling: Command) -> None:
    for shell in ("bash", "zsh", "fish"):
        assert "_KUBELING_COMPLETE" in kubeling("completion", shell)
    kubeling.environment.update(
        {"_KUBELING_COMPLETE": "complete_bash", "COMP_WORDS": "kubeling up --det", "COMP_CWORD": "2"}
    )
    assert kubeling() == "--detach\n"
    del kubeling.environment["_KUBELING_COMPLETE"]


def test_the_version_is_pyprojects(kubeling: Command) -> None:
    import tomllib

    from kubeling.version import VERSION

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION
    assert kubeling("version").startswith(f"kubeling {VERSION} (Kubernetes v1.37")
