"""What a container finds: commands, variables, directory, names, limits, users."""

import pytest

from conformance import pods
from conformance.rest import Object
from conformance.space import Space

pytestmark = pytest.mark.usefixtures("containers")


def test_literal_variables_and_expansion(space: Space) -> None:
    env = [
        {"name": "A", "value": "one"},
        {"name": "B", "value": "$(A) $(ABSENT) $$(A)"},
    ]
    script = 'echo "$A|$B"'
    assert space.run_through("env", script, container={"env": env}) == "one|one $(ABSENT) $(A)\n"


def test_command_and_args_are_expanded(space: Space) -> None:
    env = [{"name": "A", "value": "one"}]
    main = {"command": ["echo", "$(A)"], "args": ["$$(A)", "$(B)"], "env": env}
    assert space.run_through("echo", "", container=main) == "one $(A) $(B)\n"


def test_args_alone_go_to_what_the_image_runs(space: Space) -> None:
    container = {"name": "main", "image": space.image, "args": ["echo", "by args"]}
    space.create(pods.pod("args", container))
    space.phase("args", "Succeeded")
    assert space.log("args") == "by args\n"


def test_variables_from_fields_of_the_pod(space: Space) -> None:
    fields = {
        "NAME": "metadata.name",
        "NAMESPACE": "metadata.namespace",
        "UID": "metadata.uid",
        "LABEL": "metadata.labels['color']",
        "NODE": "spec.nodeName",
        "ACCOUNT": "spec.serviceAccountName",
        "IP": "status.podIP",
        "HOST": "status.hostIP",
    }
    env = [{"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields.items()]
    script = "echo $NAME $NAMESPACE $UID $LABEL $NODE $ACCOUNT $IP $HOST; "
    body = pods.pod("fields", pods.container(space.image, script + pods.IDLE, env=env))
    body["metadata"]["labels"] = {"color": "red"}
    space.create(body)
    pod = space.ready("fields")
    place = [pod["spec"]["nodeName"], "default", pod["status"]["podIP"], pod["status"]["hostIP"]]
    expected = ["fields", space.name, pod["metadata"]["uid"], "red", *place]
    assert space.log("fields").split() == expected


def test_variables_from_the_containers_resources(space: Space) -> None:
    env = [
        {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1m"}}},
        {"name": "MEMORY", "valueFrom": {"resourceFieldRef": {"resource": "requests.memory"}}},
    ]
    resources = {"limits": {"cpu": "250m", "memory": "64Mi"}, "requests": {"cpu": "10m", "memory": "32Mi"}}
    log = space.run_through("env", "echo $CPU $MEMORY", container={"env": env, "resources": resources})
    assert log == "250 33554432\n"


def test_variables_from_config_maps_and_secrets(space: Space) -> None:
    space.config_map("settings", COLOR="red", SIZE="big")
    space.secret("keys", PASSWORD="hunter2")
    env_from: list[Object] = [
        {"configMapRef": {"name": "settings"}, "prefix": "CM_"},
        {"secretRef": {"name": "keys"}},
        {"configMapRef": {"name": "absent", "optional": True}},
    ]
    reference = {"configMapKeyRef": {"name": "settings", "key": "SIZE"}}
    env = [{"name": "SIZE", "valueFrom": reference}]
    script = "echo $CM_COLOR $CM_SIZE $PASSWORD $SIZE"
    log = space.run_through("env", script, container={"envFrom": env_from, "env": env})
    assert log == "red big hunter2 big\n"


def test_a_config_map_that_is_missing_holds_the_container(space: Space) -> None:
    reference = {"configMapKeyRef": {"name": "late", "key": "k"}}
    env = [{"name": "K", "valueFrom": reference}]
    space.run("held", "echo $K", container={"env": env})
    held = lambda pod: pods.waiting_reason(pod) == "CreateContainerConfigError"  # noqa: E731
    pod = space.until("held", held, what="is held")
    assert pods.status_of(pod)["state"]["waiting"]["message"] == 'configmap "late" not found'
    space.config_map("late", k="here")
    space.phase("held", "Succeeded", timeout=60)
    assert space.log("held") == "here\n"


def test_variables_of_services(space: Space) -> None:
    log = space.run_through("env", "echo $KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT")
    service = space.rest.get("/api/v1/namespaces/default/services/kubernetes")["spec"]
    assert log == f"{service['clusterIP']}:443\n"


def test_the_working_directory(space: Space) -> None:
    assert space.run_through("wd", "pwd", container={"workingDir": "/tmp"}) == "/tmp\n"


def test_the_hostname(space: Space) -> None:
    assert space.run_through("named", "hostname") == "named\n"
    assert space.run_through("other", "hostname", hostname="chosen") == "chosen\n"


def test_the_hosts_file_names_the_pod(space: Space) -> None:
    alias = {"ip": "192.0.2.7", "hostnames": ["alias.example"]}
    log = space.run_through("hosts", "cat /etc/hosts", hostAliases=[alias])
    assert "127.0.0.1\tlocalhost" in log
    assert "\thosts\n" in log
    assert "192.0.2.7\talias.example" in log


def test_users_and_groups(space: Space) -> None:
    context = {"runAsUser": 1000, "runAsGroup": 2000}
    assert space.run_through("user", "id -u; id -g", securityContext=context) == "1000\n2000\n"


def test_a_read_only_root(space: Space) -> None:
    context = {"readOnlyRootFilesystem": True}
    script = "touch /x 2>&1 | grep -c Read-only"
    assert space.run_through("fixed", script, container={"securityContext": context}) == "1\n"


def test_the_memory_limit_is_the_control_groups(space: Space) -> None:
    limits = {"limits": {"memory": "64Mi"}}
    script = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes || cat /sys/fs/cgroup/memory.max"
    log = space.run_through("small", script, container={"resources": limits})
    assert log.splitlines()[-1] == str(64 << 20)


def test_the_cpu_limit_is_the_control_groups(space: Space) -> None:
    limits = {"limits": {"cpu": "200m"}}
    script = "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us || cut -d' ' -f1 /sys/fs/cgroup/cpu.max"
    log = space.run_through("slow", script, container={"resources": limits})
    assert log.splitlines()[-1] == "20000"


def test_too_much_memory_ends_a_container(space: Space) -> None:
    limits = {"limits": {"memory": "16Mi"}}
    space.run("hungry", "head -c 200000000 /dev/zero | tail", container={"resources": limits})
    pod = space.phase("hungry", "Failed")
    assert pods.status_of(pod)["state"]["terminated"]["reason"] in ("OOMKilled", "Error")


def test_the_quality_of_service(space: Space) -> None:
    both = {"cpu": "10m", "memory": "16Mi"}
    cases = {
        "guaranteed": ({"limits": both, "requests": both}, "Guaranteed"),
        "burstable": ({"requests": {"cpu": "10m"}}, "Burstable"),
    }
    for name, (resources, expected) in cases.items():
        pod = space.run(name, container={"resources": resources})
        assert pod["status"]["qosClass"] == expected


def test_the_message_at_the_end(space: Space) -> None:
    space.run("last", "echo -n goodbye > /dev/termination-log; exit 1")
    ended = pods.status_of(space.phase("last", "Failed"))["state"]["terminated"]
    assert ended["message"] == "goodbye"


def test_containers_of_a_pod_share_their_network(space: Space) -> None:
    server = pods.container(space.image, "httpd -f -p 80 -h /etc", name="server")
    script = "until wget -q -O - http://127.0.0.1/passwd; do sleep 0.2; done; "
    space.create(pods.pod("shared", server, pods.container(space.image, script + pods.IDLE)))
    space.ready("shared")
    waiting = space.path("pods", "shared")
    assert waiting
    space.until("shared", lambda _: "root:x:0" in space.log("shared", container="main"), what="has asked")


def test_the_hosts_network(space: Space) -> None:
    pod = space.run_ready("hosted", hostNetwork=True)
    assert pod["status"]["podIP"] == pod["status"]["hostIP"]
