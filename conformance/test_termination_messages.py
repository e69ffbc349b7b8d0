"""What containers leave as their last words: the file, the log's end, limits."""

import pytest

from conformance import pods
from conformance.rest import Object
from conformance.space import Space

pytestmark = pytest.mark.usefixtures("containers")

FALLBACK = "FallbackToLogsOnError"

CONTAINERS: dict[str, tuple[str, Object]] = {
    "plain": ("echo -n DONE > /dev/termination-log", {}),
    "elsewhere": (
        "echo -n DONE > /tmp/last-words",
        {"terminationMessagePath": "/tmp/last-words", "securityContext": {"runAsUser": 1000}},
    ),
    "failed": ("echo -n DONE; exit 1", {"terminationMessagePolicy": FALLBACK}),
    "succeeded": ("echo -n DONE", {"terminationMessagePolicy": FALLBACK}),
    "file-first": (
        "echo -n OK > /dev/termination-log; echo DONE; exit 1",
        {"terminationMessagePolicy": FALLBACK},
    ),
    "file-only": ("echo DONE; exit 1", {}),
    "long-file": ("yes first | head -c 5000 > /dev/termination-log; echo -n END >> /dev/termination-log", {}),
    "long-log": (
        "for n in $(seq 200); do echo line $n; done; exit 1",
        {"terminationMessagePolicy": FALLBACK},
    ),
    "wide-log": (
        "yes 0123456789 | tr -d '\\n' | head -c 5000; echo -n END; exit 1",
        {"terminationMessagePolicy": FALLBACK},
    ),
}


@pytest.fixture(scope="module")
def ended(shared_space: Space) -> Object:
    """A pod whose containers have all ended."""
    containers = [
        pods.container(shared_space.image, script, name=name, **more)
        for name, (script, more) in CONTAINERS.items()
    ]
    shared_space.create(pods.pod("ended", *containers))
    return shared_space.phase("ended", "Failed")


def message(pod: Object, name: str) -> str:
    return str(pods.status_of(pod, name)["state"]["terminated"].get("message", ""))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plain", "DONE"),
        ("elsewhere", "DONE"),
        ("failed", "DONE"),
        ("succeeded", ""),
        ("file-first", "OK"),
        ("file-only", ""),
    ],
)
def test_the_message_is_the_files_or_the_logs(ended: Object, name: str, expected: str) -> None:
    assert message(ended, name) == expected


def test_messages_are_cut_to_their_part_of_twelve_kibibytes(ended: Object) -> None:
    assert len(message(ended, "long-file")) == 12 * 1024 // len(CONTAINERS)


def test_of_a_long_log_the_last_lines_are_shown(ended: Object) -> None:
    assert message(ended, "long-log").splitlines() == [f"line {number}" for number in range(121, 201)]


def test_a_long_message_keeps_its_end(space: Space) -> None:
    space.run("long", CONTAINERS["long-file"][0])
    words = message(space.phase("long", "Succeeded"), "main")
    assert (len(words), words[-3:]) == (4096, "END")
    space.run("wide", CONTAINERS["wide-log"][0], container=CONTAINERS["wide-log"][1])
    words = message(space.phase("wide", "Failed"), "main")
    assert (len(words), words[-3:]) == (2048, "END")


def test_exit_codes_and_reasons(space: Space) -> None:
    scripts = {
        "zero": "exit 0",
        "seven": "exit 7",
        "killed": "kill -9 $$$$",
        "asked": "kill -TERM $$$$; exit 143",
    }
    containers = [pods.container(space.image, script, name=name) for name, script in scripts.items()]
    space.create(pods.pod("ends", *containers, shareProcessNamespace=True))
    pod = space.phase("ends", "Failed")
    ends = {
        name: (state["exitCode"], state["reason"])
        for name in scripts
        for state in [pods.status_of(pod, name)["state"]["terminated"]]
    }
    assert ends == {
        "zero": (0, "Completed"),
        "seven": (7, "Error"),
        "killed": (137, "Error"),
        "asked": (143, "Error"),
    }
