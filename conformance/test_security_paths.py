"""Paths that lead astray: links in place of logs and messages, `..` in names and requests, archives of cp."""

import http.client
import io
import os
import ssl
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from conformance import pods
from conformance.absence import absent
from conformance.cluster import Cluster
from conformance.kubectl import Kubectl
from conformance.rest import Rest
from conformance.space import Space
from conformance.waiting import eventually

pytestmark = pytest.mark.usefixtures("containers")
TARGET = "/etc/passwd"
LEAK = "root:x:0:0"


@pytest.fixture
def logs(cluster: Cluster) -> Path:
    """The directory of the node's logs, which a pod may mount as it may any other."""
    home = cluster.home or Path(absent("the files are those of a node that the suite has started"))
    return home / "node" / "logs"


# --- termination messages ---


def test_a_link_in_the_place_of_the_message_is_not_followed(space: Space) -> None:
    """Nor can the container put it there; another one can, through a volume that both mount."""
    message = {"terminationMessagePath": "/shared/message", "terminationMessagePolicy": "File"}
    mounts = [{"name": "shared", "mountPath": "/shared"}]
    swap = f"rm -f {{0}} 2>/dev/null; ln -s {TARGET} {{0}} 2>/dev/null; "
    own = pods.container(space.image, swap.format("/dev/termination-log") + "exit 3", name="own")
    late = pods.container(
        space.image,
        "until test -e /shared/swapped; do sleep 0.1; done; exit 3",
        name="late",
        volumeMounts=mounts,
        **message,
    )
    swapping = "until test -e /other/message; do sleep 0.1; done; " + swap.format("/other/message")
    swapper = pods.container(
        space.image,
        swapping + "touch /other/swapped",
        name="swapper",
        volumeMounts=[{"name": "shared", "mountPath": "/other"}],
    )
    space.create(pods.pod("linked", own, late, swapper, volumes=[{"name": "shared", "emptyDir": {}}]))
    pod = space.phase("linked", "Failed")
    for name in ("own", "late"):
        ended = pods.status_of(pod, name)["state"]["terminated"]
        assert ended["exitCode"] == 3
        assert LEAK not in ended.get("message", ""), name


def test_a_message_is_no_longer_than_it_may_be(space: Space) -> None:
    script = "yes | head -c 1000000 > /dev/termination-log; exit 1"
    space.run("long", script)
    ended = pods.status_of(space.phase("long", "Failed"))["state"]["terminated"]
    assert len(ended["message"]) == 4096


# --- logs ---


def test_a_container_does_not_see_its_log(space: Space) -> None:
    script = "echo said; grep -c '\\.log' /proc/self/mountinfo; readlink /proc/1/fd/1 | cut -d: -f1"
    assert space.run_through("blind", script) == "said\n0\npipe\n"


@pytest.mark.parametrize("policy", ["File", "FallbackToLogsOnError"])
def test_a_link_in_the_place_of_a_log_is_not_followed(
    kubectl: Kubectl, space: Space, logs: Path, policy: str
) -> None:
    """A pod that was given the directory of logs puts it there."""
    name = f"victim-{policy.lower()}"
    victim = space.run_until_it_says(
        "ready",
        name,
        "echo ready; trap 'exit 4' TERM; while :; do sleep 0.2 & wait $!; done",
        container={"terminationMessagePolicy": policy},
    )
    log = logs / f"{space.name}_{name}_{victim['metadata']['uid']}" / "main" / "0.log"
    os.rename(log, f"{log}.moved")
    log.symlink_to(TARGET)
    assert LEAK not in kubectl.attempt("logs", name).text
    assert LEAK not in kubectl.attempt("logs", name, "--tail=5").text
    space.rest.delete(space.path("pods", name), gracePeriodSeconds=1)
    log.unlink()
    directory = log.parent
    os.rename(directory, f"{directory}.moved")
    directory.symlink_to("/etc")
    (directory.parent / "passwd").unlink(missing_ok=True)
    assert LEAK not in kubectl.attempt("logs", name).text
    space.rest.gone(space.path("pods", name))
    assert Path(TARGET).exists(), "what the link led to is not removed with the log"


@pytest.mark.parametrize("name", ["..", "../x", "a/../b", "x%2F..", "", "A", "a_b", "-a"])
def test_names_that_would_lead_elsewhere_are_refused(space: Space, name: str) -> None:
    body = pods.pod(name, pods.container(space.image))
    assert space.rest.request("POST", space.path("pods"), body).code in (400, 422)
    body = pods.pod("fine", pods.container(space.image, name=name))
    assert space.rest.request("POST", space.path("pods"), body).code == 422


# --- the kubelet API ---


@pytest.fixture(scope="module")
def node(rest: Rest) -> str:
    """The path of the node's own API through the server."""
    names = [each["metadata"]["name"] for each in rest.get("/api/v1/nodes")["items"]]
    return f"/api/v1/nodes/{names[0]}/proxy"


@pytest.fixture(scope="module")
def kubelet(rest: Rest, cluster: Cluster) -> Callable[..., tuple[int, str]]:
    """Asks the node itself, as the server does; paths go out as they are, which most clients do not do."""
    home = cluster.home or Path(absent("the server's certificate is that of a cluster of the suite"))
    node = rest.get("/api/v1/nodes")["items"][0]["status"]
    address = next(each["address"] for each in node["addresses"] if each["type"] == "InternalIP")
    port = node["daemonEndpoints"]["kubeletEndpoint"]["Port"]
    tls = ssl.create_default_context(cafile=str(home / "pki/ca.crt"))
    tls.check_hostname = False
    certificate = home / "pki/apiserver-kubelet-client"
    tls.load_cert_chain(f"{certificate}.crt", f"{certificate}.key")

    def ask(path: str, **headers: str) -> tuple[int, str]:
        connection = http.client.HTTPSConnection(address, port, context=tls, timeout=20)
        try:
            connection.putrequest("GET", path, skip_accept_encoding=True)
            for key, value in headers.items():
                connection.putheader(key, value)
            connection.endheaders()
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        finally:
            connection.close()

    return ask


ASTRAY = pytest.mark.parametrize(
    "path",
    [
        "containerLogs/../../../../etc/passwd",
        "containerLogs/..%2F..%2F..%2Fetc/passwd/x",
        "containerLogs/default/..%2f..%2fetc%2fpasswd/main",
        "containerLogs/default/x/..%2F..%2F..%2F..%2Fetc%2Fpasswd",
        "logs/../../etc/passwd",
        "logs/..%2f..%2fetc%2fpasswd",
        "logs/%2e%2e/%2e%2e/etc/passwd",
        "logs//etc/passwd",
        "logs/%2Fetc%2Fpasswd",
        "logs/x%00/../../etc/passwd",
        "../etc/passwd",
        "%2e%2e/etc/passwd",
    ],
)


@ASTRAY
def test_no_request_through_the_server_leads_out_of_the_nodes_directories(
    rest: Rest, node: str, path: str
) -> None:
    answer = rest.request("GET", f"{node}/{path}")
    assert answer.code in (301, 400, 403, 404, 405), str(answer)
    assert LEAK not in answer.text


@ASTRAY
def test_no_request_to_the_node_leads_out_of_its_directories(
    kubelet: Callable[..., tuple[int, str]], path: str
) -> None:
    code, text = kubelet(f"/{path}")
    assert code in (301, 400, 403, 404, 405)
    assert LEAK not in text


@pytest.mark.parametrize("size", [16_000, 2_000_000])
def test_a_request_with_enormous_headers_does_no_harm(
    kubelet: Callable[..., tuple[int, str]], size: int
) -> None:
    try:
        code, _ = kubelet("/healthz", large="x" * size)
        assert code in (200, 400, 413, 431)
    except OSError:
        pass  # the connection was cut
    assert kubelet("/healthz") == (200, "ok")


# --- kubectl cp ---


def evil_archive() -> bytes:
    """Files above and beside the directory, and links that lead out of it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in ("data/fine", "data/../../escaped", "../escaped", "/escaped-absolute"):
            entry = tarfile.TarInfo(name)
            entry.size = 5
            archive.addfile(entry, io.BytesIO(b"evil\n"))
        link = tarfile.TarInfo("data/link")
        link.type, link.linkname = tarfile.SYMTYPE, "../.."
        archive.addfile(link)
        through = tarfile.TarInfo("data/link/escaped")
        through.size = 5
        archive.addfile(through, io.BytesIO(b"evil\n"))
    return buffer.getvalue()


def test_an_archive_that_a_container_made_up_stays_in_its_place(
    each_kubectl: Kubectl, space: Space, tmp_path: Path
) -> None:
    space.run_ready("liar")
    each_kubectl("exec", "-i", "liar", "--", "sh", "-c", "cat > /tmp/evil.tar", stdin=evil_archive())
    script = "rm /bin/tar; printf '#!/bin/sh\\ncat /tmp/evil.tar\\n' > /bin/tar; chmod 755 /bin/tar"
    each_kubectl("exec", "liar", "--", "sh", "-c", script)
    target = tmp_path / "deep" / "er" / "target"
    target.parent.mkdir(parents=True)
    each_kubectl.attempt("cp", "liar:data", str(target))
    outside = [path for path in tmp_path.rglob("*escaped*") if target not in path.parents]
    assert outside == []
    assert not Path("/escaped-absolute").exists()
    assert not list(tmp_path.parent.glob("escaped"))
    links = [path for path in target.rglob("*") if path.is_symlink()]
    assert links == []


def test_what_is_copied_into_a_container_stays_there(kubectl: Kubectl, space: Space, tmp_path: Path) -> None:
    """Whatever links the container has laid out."""
    marker = f"copied-{space.name}"
    (tmp_path / marker).write_text("mine")
    space.run_ready("trap")
    kubectl("exec", "trap", "--", "sh", "-c", "ln -s /../../../../tmp /link; ln -s /proc/1/root/tmp /other")
    for place in ("/link", "/other", "/../../../../tmp"):
        kubectl.attempt("cp", str(tmp_path / marker), f"trap:{place}/{marker}")
    assert not Path("/tmp", marker).exists()
    there = lambda: marker in kubectl("exec", "trap", "--", "ls", "/tmp").text  # noqa: E731
    eventually(there, what="it is in the container")
