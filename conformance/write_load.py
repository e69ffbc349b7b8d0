"""Writers that note what was acknowledged, and a watcher that notes what it was told, while servers die.

Not here: the killing, and the verdict (`test_crash.py`).
"""

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import urllib3

from conformance import pods
from conformance.rest import Object, Rest, connect

MAPS = "/api/v1/namespaces/default/configmaps"


@dataclass
class Acknowledged:
    """What one writer was told is kept: the version of each object; of the last write also when unsure."""

    versions: dict[str, int] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    unsure: set[str] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        return len(self.versions)


@dataclass
class Load:
    kubeconfig: Path
    stop: threading.Event = field(default_factory=threading.Event)
    writers: list[Acknowledged] = field(default_factory=list)
    told: list[Object] = field(default_factory=list)
    resumed: int = 0
    troubles: list[str] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Objects of which a write was acknowledged."""
        return sum(writer.count for writer in self.writers)

    def start(self, *, writers: int) -> None:
        since = connect(self.kubeconfig).get(MAPS)["metadata"]["resourceVersion"]
        self._run(lambda: self._watch(since))
        for number in range(writers):
            self.writers.append(Acknowledged())
            self._run(lambda number=number: self._write(number))  # type: ignore[misc]

    def end(self) -> None:
        """Writers first; the watcher ends itself when nothing more comes."""
        self.stop.set()
        for thread in self.threads:
            thread.join(30)
            assert not thread.is_alive(), f"{thread} goes on"

    def _run(self, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, daemon=True)
        self.threads.append(thread)
        thread.start()

    def _write(self, writer: int) -> None:
        rest, known = connect(self.kubeconfig), self.writers[writer]
        for number in itertools.count():
            if self.stop.is_set():
                return
            name = f"writer-{writer}-{number}"
            for step in (_create, _update, *([_delete] if number % 3 == 0 else [])):
                if not self._try(step, rest, name, known):
                    break

    def _try(
        self, step: Callable[[Rest, str, Acknowledged], None], rest: Rest, name: str, known: Acknowledged
    ) -> bool:
        try:
            step(rest, name, known)
        except urllib3.exceptions.HTTPError:
            known.unsure.add(name)
            self.stop.wait(0.02)
            return False
        except AssertionError as error:
            known.failures.append(str(error))
            return False
        return True

    def _watch(self, since: str) -> None:
        rest = connect(self.kubeconfig)
        quiet = False
        while not quiet:
            finishing = self.stop.is_set()
            try:
                before = len(self.told)
                with rest.watch(MAPS, timeout=2, resourceVersion=since) as events:
                    for event in events:
                        if event["type"] == "ERROR":
                            self.troubles.append(str(event))
                            return
                        self.told.append(event)
                        since = event["object"]["metadata"]["resourceVersion"]
                quiet = finishing and len(self.told) == before
            except (urllib3.exceptions.HTTPError, OSError):
                self.stop.wait(0.02)
            self.resumed += 1


def _create(rest: Rest, name: str, known: Acknowledged) -> None:
    _note(rest.post(MAPS, pods.config_map(name, {"v": "1"})), name, known)


def _update(rest: Rest, name: str, known: Acknowledged) -> None:
    _note(rest.patch(f"{MAPS}/{name}", {"data": {"v": "2"}}), name, known)


def _delete(rest: Rest, name: str, known: Acknowledged) -> None:
    rest.delete(f"{MAPS}/{name}")
    known.deleted.add(name)


def _note(obj: Object, name: str, known: Acknowledged) -> None:
    known.versions[name] = int(obj["metadata"]["resourceVersion"])
    known.values[name] = obj["data"]["v"]
