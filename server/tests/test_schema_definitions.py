from server.schema.definitions import _index, definition, described_definitions, name_of


def test_the_pieces_are_the_whole() -> None:
    whole = described_definitions()
    assert {name: definition(name) for name in _index().places} == whole


def test_kinds_are_found_by_group_version_and_kind() -> None:
    assert name_of("apps", "v1", "Deployment") == "io.k8s.api.apps.v1.Deployment"
    assert name_of("", "v1", "Pod") == "io.k8s.api.core.v1.Pod"
    assert name_of("apps", "v1beta1", "Deployment") is None
