"""kr8s and lightkube, where they are installed: objects, selectors, patches, apply, watches, own kinds."""

from collections.abc import Iterator
from typing import Any

import pytest

from conformance import customs
from conformance.cluster import Cluster
from conformance.customs import Customs
from conformance.rest import Object, Rest
from conformance.space import Space

LABELS = {"app": "a"}


@pytest.fixture
def tabs(rest: Rest, space: Space) -> Iterator[Customs]:
    with customs.opened(rest, space.name) as opened:
        opened.establish()
        yield opened


@pytest.mark.filterwarnings("ignore:Kubernetes version:UserWarning")
async def test_kr8s(cluster: Cluster, space: Space, tabs: Customs) -> None:
    kr8s: Any = pytest.importorskip("kr8s.asyncio", reason="kr8s is not installed")
    api = await kr8s.api(kubeconfig=str(cluster.kubeconfig), namespace=space.name)
    place = {"namespace": space.name}
    for name in "ab":
        await (await kr8s.objects.ConfigMap(_config_map(name, space), api=api)).create()
    first, second = [each async for each in api.get("configmaps", label_selector=LABELS, **place)]
    await first.patch({"data": {"k": "2"}})
    await first.label(tier="x")
    await first.refresh()
    assert (first.raw["data"], first.labels["tier"]) == ({"k": "2"}, "x")
    await first.patch([{"op": "remove", "path": "/data"}], type="json")
    assert "data" not in first.raw
    async for kind, seen in api.watch("configmaps", field_selector={"metadata.name": "b"}, **place):
        assert (kind, seen.name) == ("ADDED", "b")
        break
    async for table in api.get("configmaps", as_object=kr8s.objects.Table, **place):
        assert [column["name"] for column in table.raw["columnDefinitions"]] == ["Name", "Data", "Age"]
    await second.delete()
    assert not await second.exists()
    kind = kr8s.objects.new_class("CronTab", version=f"{tabs.group}/v1", plural="crontabs")
    tab = await kind({**tabs.tab("a"), "metadata": {"name": "a", **place}}, api=api)
    await tab.create()
    assert tab.raw["spec"]["replicas"] == 1


def test_lightkube(cluster: Cluster, space: Space, tabs: Customs) -> None:
    lightkube: Any = pytest.importorskip("lightkube", reason="lightkube is not installed")
    generic, types = _part("generic_resource"), _part("types")
    config_map, metadata = _part("resources.core_v1").ConfigMap, _part("models.meta_v1").ObjectMeta
    config = lightkube.KubeConfig.from_file(str(cluster.kubeconfig))
    api = lightkube.Client(config=config, namespace=space.name, field_manager="one")
    for name in ("a", "b", "c"):
        api.create(config_map.from_dict(_config_map(name, space)))
    listed = api.list(config_map, labels=LABELS, chunk_size=2)
    assert [found.metadata.name for found in listed] == ["a", "b", "c"]
    steps = [{"op": "remove", "path": "/data"}]
    assert api.patch(config_map, "a", steps, patch_type=types.PatchType.JSON).data is None
    wanted = config_map.from_dict({**_config_map("d", space), "data": {"k": "9"}})
    assert api.apply(wanted).data == {"k": "9"}
    wanted.data = {"k": "10"}
    with pytest.raises(lightkube.ApiError) as refused:
        api.apply(wanted, field_manager="two")
    assert refused.value.status.reason == "Conflict"
    assert api.apply(wanted, field_manager="two", force=True).data == {"k": "10"}
    for kind, seen in api.watch(config_map, fields={"metadata.name": "d"}):
        assert (kind, seen.metadata.name) == ("ADDED", "d")
        break
    tab = generic.create_namespaced_resource(tabs.group, "v1", "CronTab", "crontabs")
    assert api.create(tab(metadata=metadata(name="a"), spec={})).spec == {"replicas": 1}
    api.deletecollection(config_map)
    assert "d" not in [found.metadata.name for found in api.list(config_map)]


def _part(name: str) -> Any:
    return pytest.importorskip(f"lightkube.{name}")


def _config_map(name: str, space: Space) -> Object:
    metadata = {"name": name, "namespace": space.name, "labels": LABELS}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"k": "1"}}
