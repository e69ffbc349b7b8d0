"""kubectl exec and attach: input, output, exit codes, terminals; byte-exact, with half-close."""

import hashlib
import random
import subprocess

import pytest

from conformance import pods, terminal
from conformance.kubectl import Kubectl
from conformance.space import Space

pytestmark = pytest.mark.usefixtures("containers")


@pytest.fixture(scope="module")
def shell(shared_space: Space) -> str:
    """The namespace of a running pod `shell` with the containers `main` and `other`."""
    containers = [pods.container(shared_space.image, name=name) for name in ("main", "other")]
    shared_space.create(pods.pod("shell", *containers))
    shared_space.ready("shell")
    return shared_space.name


@pytest.fixture
def inside(each_kubectl: Kubectl, shell: str) -> Kubectl:
    return each_kubectl.within(shell)


def test_output_and_errors_come_apart(inside: Kubectl) -> None:
    result = inside("exec", "shell", "-c", "main", "--", "sh", "-c", "echo out; echo err >&2")
    assert (result.text, result.errors) == ("out\n", "err\n")


@pytest.mark.parametrize("code", [0, 1, 3, 137, 255])
def test_the_exit_code_is_the_commands(inside: Kubectl, code: int) -> None:
    result = inside.attempt("exec", "shell", "-c", "main", "--", "sh", "-c", f"exit {code}")
    assert result.code == code
    if code:
        assert f"command terminated with exit code {code}" in result.errors


def test_a_command_that_does_not_exist(inside: Kubectl) -> None:
    result = inside.attempt("exec", "shell", "-c", "main", "--", "no-such-command")
    assert result.code not in (0, 124)
    assert "no-such-command" in result.errors


def test_a_pod_that_does_not_exist(inside: Kubectl) -> None:
    result = inside.attempt("exec", "absent", "--", "true")
    assert result.code == 1
    assert 'pods "absent" not found' in result.errors


def test_a_container_that_does_not_exist(inside: Kubectl) -> None:
    result = inside.attempt("exec", "shell", "-c", "absent", "--", "true")
    assert result.code == 1
    assert "container" in result.errors
    assert "absent" in result.errors


def test_the_container_that_is_named(inside: Kubectl) -> None:
    inside("exec", "shell", "-c", "other", "--", "touch", "/tmp/mark")
    assert inside.attempt("exec", "shell", "-c", "main", "--", "test", "-e", "/tmp/mark").code == 1
    assert inside.attempt("exec", "shell", "-c", "other", "--", "test", "-e", "/tmp/mark").code == 0


def test_input_is_read_to_its_end(inside: Kubectl) -> None:
    """Without half-close `sort` would wait for ever."""
    result = inside("exec", "-i", "shell", "-c", "main", "--", "sort", stdin="b\na\n", timeout=20)
    assert result.text == "a\nb\n"


def test_without_i_there_is_no_input(inside: Kubectl) -> None:
    result = inside("exec", "shell", "-c", "main", "--", "cat", stdin="unread", timeout=20)
    assert result.text == ""


def test_twenty_megabytes_there_and_back(inside: Kubectl) -> None:
    data = random.Random(1).randbytes(20_000_000)
    result = inside("exec", "-i", "shell", "-c", "main", "--", "cat", stdin=data, timeout=60)
    assert len(result.output) == len(data)
    assert hashlib.sha256(result.output).digest() == hashlib.sha256(data).digest()


def test_a_large_input_arrives_whole(inside: Kubectl) -> None:
    data = random.Random(2).randbytes(5_000_000)
    result = inside("exec", "-i", "shell", "-c", "main", "--", "sha256sum", stdin=data)
    assert result.text.split()[0] == hashlib.sha256(data).hexdigest()


def test_a_large_output_arrives_whole(inside: Kubectl) -> None:
    script = "seq 1 1000000; echo done >&2; exit 7"
    result = inside.attempt("exec", "shell", "-c", "main", "--", "sh", "-c", script)
    assert result.text == "".join(f"{number}\n" for number in range(1, 1_000_001))
    assert result.errors.startswith("done\n")
    assert result.code == 7


def test_output_comes_as_it_is_written(inside: Kubectl) -> None:
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = inside.start("exec", "-i", "shell", "-c", "main", "--", "cat", **streams)
    assert process.stdin
    assert process.stdout
    try:
        for text in (b"first\n", b"second\n"):
            process.stdin.write(text)
            process.stdin.flush()
            assert process.stdout.readline() == text
        assert process.communicate(timeout=20)[0] == b""
    finally:
        process.kill()


def test_a_shell_on_a_terminal(inside: Kubectl) -> None:
    command = inside.arguments("exec", "-it", "shell", "-c", "main", "--", "sh")
    with terminal.opened(command, rows=33, columns=101) as shell:
        shell.expect("#")
        shell.type("tty; stty size; echo $((40 + 2))\n")
        assert "/dev/pts/" in shell.expect("42")
        shell.type("exit 5\n")
        assert shell.wait() == 5


def test_the_terminal_has_the_size_of_the_users(inside: Kubectl) -> None:
    command = inside.arguments("exec", "-it", "shell", "-c", "main", "--", "sh")
    with terminal.opened(command, rows=33, columns=101) as shell:
        shell.expect("#")
        shell.type("until [ \"$(stty size)\" = '33 101' ]; do sleep 0.1; done; echo a$((1))b\n")
        shell.expect("a1b")
        shell.resize(rows=44, columns=122)
        shell.type("until [ \"$(stty size)\" = '44 122' ]; do sleep 0.1; done; echo c$((2))d\n")
        shell.expect("c2d")


def test_an_interrupt_reaches_the_command(inside: Kubectl) -> None:
    script = "trap 'echo caught; exit 9' INT; echo here$((1)); while :; do sleep 0.1; done"
    command = inside.arguments("exec", "-it", "shell", "-c", "main", "--", "sh", "-c", script)
    with terminal.opened(command) as shell:
        shell.expect("here1")
        shell.type("\x03")
        shell.expect("caught")
        assert shell.wait() == 9


def test_attach_shows_what_the_container_says(each_kubectl: Kubectl, space: Space) -> None:
    script = "while [ ! -e /tmp/go ]; do sleep 0.1; echo tick; done; echo last"
    space.run_ready("ticker", script)
    process = each_kubectl.start("attach", "ticker", stdout=subprocess.PIPE)
    assert process.stdout
    try:
        assert b"tick\n" in (process.stdout.readline(), process.stdout.readline())
        each_kubectl("exec", "ticker", "--", "touch", "/tmp/go")
        rest, _ = process.communicate(timeout=20)
    finally:
        process.kill()
    assert rest.endswith(b"last\n")


def test_attach_with_input(each_kubectl: Kubectl, space: Space) -> None:
    space.run_ready("reader", "read line; echo got $line", container={"stdin": True, "stdinOnce": True})
    result = each_kubectl.attempt("attach", "-i", "reader", stdin="hello\n")
    assert "got hello" in result.text, str(result)
    space.phase("reader", "Succeeded")


def test_attach_on_a_terminal(each_kubectl: Kubectl, space: Space) -> None:
    space.run_ready("console", "exec sh", container={"stdin": True, "tty": True})
    with terminal.opened(each_kubectl.arguments("attach", "-it", "console")) as shell:
        shell.type("\necho $((40 + 2)); exit 3\n")
        shell.expect("42")
        shell.wait()
    assert pods.exit_code(space.phase("console", "Failed")) == 3
