"""The tools of the test image: each does what tests take it for.

They run here as they are, one of them in a pod.
"""

import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
import urllib3

from conformance import pods, toolimage
from conformance.absence import absent
from conformance.image_registry import free_port
from conformance.space import Space
from conformance.waiting import eventually


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> str:
    if toolimage.lacking():
        absent(toolimage.lacking())
    file = tmp_path_factory.mktemp("tools") / "program"
    file.write_bytes(toolimage.program())
    file.chmod(0o755)
    return str(file)


def test_the_image_has_the_same_bytes_every_time(program: str) -> None:
    first = toolimage.build().manifest
    toolimage.program.cache_clear()
    assert toolimage.build().manifest == first


def test_http_answers_what_it_is_asked_to(program: str, tmp_path: Path) -> None:
    switch = tmp_path / "fail"
    with _serving(program, "http", f"--fail-file={switch}") as port:
        get = partial(urllib3.request, "GET", redirect=False, retries=False)
        base = f"http://127.0.0.1:{port}"
        echo = get(f"{base}/echo?msg=a%20b&code=201")
        assert (echo.status, echo.data) == (201, b"a b")
        assert get(f"{base}/hostname").data.decode() == socket.gethostname()
        assert get(f"{base}/clientip").data.startswith(b"127.0.0.1:")
        assert get(f"{base}/header?key=x-probe", headers={"X-Probe": "yes"}).data == b"yes"
        assert get(f"{base}/redirect?loc=/elsewhere").headers["Location"] == "/elsewhere"
        assert len(get(f"{base}/size?bytes=20000").data) == 20000
        assert get(f"{base}/healthz").status == 200
        switch.touch()
        assert get(f"{base}/healthz").status == 500


def test_http_exits_with_the_code_asked_for(program: str) -> None:
    port = free_port()
    process = subprocess.Popen([program, "http", f"--port={port}"])
    try:
        _listens(port)
        urllib3.request("GET", f"http://127.0.0.1:{port}/exit?code=7")
        assert process.wait(10) == 7
    finally:
        process.kill()
        process.wait()


def test_tcp_and_udp_send_back_what_comes(program: str) -> None:
    with _serving(program, "tcp") as port, socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(b"hello")
        assert connection.recv(5, socket.MSG_WAITALL) == b"hello"
    port = free_port()
    process = subprocess.Popen([program, "udp", f"--port={port}"])
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(0.2)
            eventually(lambda: _echoed(client, port), what="the datagram comes back", timeout=10)
    finally:
        process.kill()
        process.wait()


def test_grpc_health_satisfies_grpcio(program: str) -> None:
    switch = free_port()
    with _serving(program, "grpc-health", f"--http-port={switch}", "--service=mine") as port:
        assert [_check(port, service) for service in ("", "mine", "SERVING", "NOT_SERVING")] == [1, 1, 1, 2]
        assert _check(port, "other") is grpc.StatusCode.NOT_FOUND
        urllib3.request("GET", f"http://127.0.0.1:{switch}/make-not-serving")
        assert _check(port, "") == 2
        urllib3.request("GET", f"http://127.0.0.1:{switch}/make-serving")
        assert _check(port, "") == 1


def test_mounttest_speaks_as_its_namesake(program: str, tmp_path: Path) -> None:
    file, absent_file = tmp_path / "file", tmp_path / "absent"
    options = ["--fs_type=/dev/shm", f"--new_file_0666={file}", f"--file_mode={tmp_path}"]
    more = [f"--file_perm={file}", f"--file_owner={file}", f"--file_content={absent_file}"]
    tmp_path.chmod(0o1777)
    done = _run(program, "mounttest", *options, *more, f"--file_content_in_loop={file}")
    owner = file.stat()
    assert done.stdout.splitlines() == [
        'mount type of "/dev/shm": tmpfs',
        f'content of file "{file}": mount-tester new file',
        "",
        f'mode of file "{tmp_path}": dtrwxrwxrwx',
        f'perms of file "{file}": -rw-rw-rw-',
        f'owner UID of "{file}": {owner.st_uid}',
        f'owner GID of "{file}": {owner.st_gid}',
        f'error reading file content for "{absent_file}": open {absent_file}: no such file or directory',
        f'content of file "{file}": mount-tester new file',
        "",
    ]
    assert done.returncode == 1


def test_signals_says_each_and_ends_when_told(program: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = subprocess.Popen([program, "signals", "--exit-code=3", f"--file={log}"])
    try:
        eventually(partial(_says, log, "ready"), what="it is ready", timeout=10)
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGTERM):
            process.send_signal(number)
            eventually(partial(_says, log, number.name), what=f"it says {number.name}", timeout=10)
        assert process.wait(10) == 3
    finally:
        process.kill()
        process.wait()
    assert [line.split()[1] for line in log.read_text().splitlines()] == [
        *("ready", "SIGHUP", "SIGUSR1", "SIGTERM", "ends")
    ]


def test_inspect_prints_json(program: str) -> None:
    found = [json.loads(line) for line in _run(program, "inspect").stdout.splitlines()]
    assert {each["what"] for each in found} >= {"ids", "capabilities", "process", "mount", "namespace"}
    only = [json.loads(line) for line in _run(program, "inspect", "namespace").stdout.splitlines()]
    assert {each["name"] for each in only} >= {"mnt", "net", "pid", "user", "uts"}


def test_eat_eats(program: str, tmp_path: Path) -> None:
    path = tmp_path / "eaten"
    assert _run(program, "eat", "memory", "--mib=3", "--exit").stdout == "ate 3 MiB of memory\n"
    _run(program, "eat", "disk", "--mib=2", f"--path={path}", "--exit")
    assert path.stat().st_size == 2 * 1024 * 1024
    assert _run(program, "eat", "cpu", "--seconds=0", "--exit").stdout == "ate 0 s of cpu\n"


@pytest.mark.usefixtures("containers")
def test_tools_run_in_a_pod(space: Space) -> None:
    space.create(pods.pod("inspected", pods.tool(space.tools, "inspect", "ids")))
    space.phase("inspected", "Succeeded")
    assert json.loads(space.log("inspected"))["uid"] == 0


@contextmanager
def _serving(program: str, *arguments: str) -> Iterator[int]:
    port = free_port()
    process = subprocess.Popen([program, *arguments, f"--port={port}"], stdout=subprocess.DEVNULL)
    try:
        _listens(port)
        yield port
    finally:
        process.kill()
        process.wait()


def _says(log: Path, word: str) -> bool:
    return log.exists() and word in log.read_text()


def _listens(port: int) -> None:
    def connects() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    eventually(connects, what=f"port {port} is listened on", timeout=10)


def _echoed(client: socket.socket, port: int) -> bool:
    try:
        client.sendto(b"hello", ("127.0.0.1", port))
        return client.recv(5) == b"hello"
    except OSError:
        return False


def _run(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def _check(port: int, service: str) -> Any:
    """The status as a number, or why there is none."""
    request = b"\x0a" + bytes([len(service)]) + service.encode() if service else b""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call: Any = channel.unary_unary("/grpc.health.v1.Health/Check")
        try:
            answer: bytes = call(request, timeout=5)
        except grpc.RpcError as error:
            return error.code()
    return answer[1]
