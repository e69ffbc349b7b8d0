"""What many records have in common is held in memory once."""

from pathlib import Path

from kubeling.objects.clock import FakeClock
from server.storage import Store


async def test_records_share_equal_labels_and_namespaces(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/database"
    store = await Store.open(url, clock=FakeClock())
    for name in "abc":
        labels = {"app": "".join(["w", "eb"]), "tier": "front" if name != "c" else "back"}
        obj = {"metadata": {"name": name, "labels": labels}}
        await store.create("pods", "".join(["some", "where"]), name, obj)
    written = store.list("pods")
    await store.close()
    again = await Store.open(url, clock=FakeClock())
    for a, b, c in (written, again.list("pods")):
        assert a.labels is b.labels
        assert c.labels == {"app": "web", "tier": "back"}
        assert a.namespace is c.namespace
    await again.close()
