"""What records remember of the objects that they were made from."""

from typing import Any

from server.storage import Store
from server.storage.newest import KEPT


async def test_a_new_record_knows_its_object_without_its_owners(open_store: Any) -> None:
    store: Store = await open_store()
    owned = {"metadata": {"name": "a", "uid": "u", "managedFields": [{"manager": "m"}]}, "value": 1}
    record = await store.create("pods", "ns", "a", owned)
    assert (
        record.fresh
        == record.lean
        == {"metadata": {"name": "a", "uid": "u", "resourceVersion": "1"}, "value": 1}
    )
    assert record.obj["metadata"]["managedFields"] == [{"manager": "m"}]
    assert owned["metadata"] == {"name": "a", "uid": "u", "managedFields": [{"manager": "m"}]}


async def test_older_records_keep_their_bodies_alone(open_store: Any) -> None:
    store: Store = await open_store()
    first = await store.create("pods", "ns", "a", {"metadata": {"name": "a", "uid": "u"}})
    assert first.obj["metadata"]["name"] == "a"
    for number in range(KEPT + 1):
        obj = {"metadata": {"name": "a", "uid": "u"}, "value": number}
        await store.update("pods", "ns", "a", obj, expected=None)
    assert first.fresh is None
    assert first._obj is None
    assert first.lean["metadata"]["resourceVersion"] == "1"
