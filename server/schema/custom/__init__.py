"""Schemas of custom resources: what a CustomResourceDefinition's `openAPIV3Schema` says of its objects.

Two ways in. `compiled` turns the schema of one version into functions on objects: decoding with pruning,
defaulting, validation. `schema_errors` says what is wrong with a schema itself. Pure functions of their
arguments: nothing here knows of HTTP, of the registry or of what is stored.
"""

from server.schema.custom.compile import CustomSchema, compiled
from server.schema.custom.validation import schema_errors

__all__ = ["CustomSchema", "compiled", "schema_errors"]
