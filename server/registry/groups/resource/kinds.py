"""Registration of resource.k8s.io's kinds."""

from server.registry.groups.resource.claim import Claims, ClaimTemplates
from server.registry.groups.resource.device_class import DeviceClasses, TaintRules
from server.registry.groups.resource.slice import Slices
from server.registry.groups.subresources import status
from server.registry.kind import Kind

_GROUP = "resource.k8s.io"

KINDS = (
    Kind(_GROUP, "DeviceClass", "deviceclasses", DeviceClasses(), namespaced=False),
    Kind(
        _GROUP,
        "DeviceTaintRule",
        "devicetaintrules",
        TaintRules(),
        namespaced=False,
        subresources=status("DeviceTaintRule"),
    ),
    Kind(_GROUP, "ResourceClaim", "resourceclaims", Claims(), subresources=status("ResourceClaim")),
    Kind(_GROUP, "ResourceClaimTemplate", "resourceclaimtemplates", ClaimTemplates()),
    Kind(_GROUP, "ResourceSlice", "resourceslices", Slices(), namespaced=False),
)
