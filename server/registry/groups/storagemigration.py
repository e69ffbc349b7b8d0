"""The kinds of storagemigration.k8s.io."""

from server.registry.groups.plain import Generational
from server.registry.groups.subresources import status
from server.registry.kind import Kind

KINDS = (
    Kind(
        "storagemigration.k8s.io",
        "StorageVersionMigration",
        "storageversionmigrations",
        Generational(),
        namespaced=False,
        short_names=("svm",),
        subresources=status("StorageVersionMigration"),
    ),
)
