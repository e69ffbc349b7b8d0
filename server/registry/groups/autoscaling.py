"""The kinds of the autoscaling group: HorizontalPodAutoscaler in v2 and v1."""

from server.registry.groups.subresources import status
from server.registry.kind import Kind
from server.registry.strategy import Strategy

KINDS = (
    Kind(
        "autoscaling",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        Strategy(),
        versions=("v2", "v1"),
        short_names=("hpa",),
        categories=("all",),
        subresources=status("HorizontalPodAutoscaler"),
    ),
)
