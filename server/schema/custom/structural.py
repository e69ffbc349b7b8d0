"""What is wrong with a schema itself: whether it is structural, and its defaults, extensions and rules."""

from typing import Any

from kubeling.objects.errors import Cause


def schema_errors(
    schema: dict[str, Any],
    path: str,
    *,
    old: dict[str, Any] | None = None,
    preserve_unknown_fields: bool = False,
    status_subresource: bool = False,
) -> list[Cause]:
    """Everything that upstream's validation of a CustomResourceDefinition says of one version's schema.

    `path` is where the schema stands, such as `spec.versions[0].schema.openAPIV3Schema`, or
    `spec.validation.openAPIV3Schema` when all versions have the same one (upstream's internal form holds it
    once then, and its messages say so). `old` is the schema that is stored: what it has may stay, such as
    rules that today's limits refuse.
    """
    raise NotImplementedError
