"""What decoding and patching find wrong.

    ValueError
    └── SchemaError
        ├── DecodeError      the JSON does not fit the type
        │   └── TypeMismatch   a string where a list should be, and the like; knows its path
        └── PatchError       the patch cannot be applied

Their texts are what Kubernetes' decoder (Go's encoding/json) says; the registry makes Statuses of them.
"""


class SchemaError(ValueError):
    pass


class DecodeError(SchemaError):
    pass


class TypeMismatch(DecodeError):
    """`path` grows from the inside out while the error travels to the root; list indexes are not in it."""

    def __init__(self, found: str, wanted: str) -> None:
        super().__init__()
        self._found = found
        self._wanted = wanted
        self._struct = ""
        self._path: list[str] = []

    def inside(self, struct: str, field: str) -> "TypeMismatch":
        """The same, one struct further out."""
        self._struct = self._struct or struct
        self._path.insert(0, field)
        return self

    def __str__(self) -> str:
        where = f"struct field {self._struct}.{'.'.join(self._path)}" if self._path else "value"
        return f"json: cannot unmarshal {self._found} into Go {where} of type {self._wanted}"

    @property
    def restoring(self) -> str:
        """The same in the words of Go's converter, which makes objects of maps."""
        found = self._found.partition(" ")[0]
        kind = {"array": "slice", "object": "map", "number": "int64"}.get(found, found)
        if self._wanted.startswith("map["):
            return f"cannot restore map from {kind}"
        if self._wanted.startswith("[]"):
            return f"cannot restore slice from {kind}"
        if "." in self._wanted:
            return f"cannot restore struct from: {kind}"
        if (kind, self._wanted) == ("int64", "string"):
            return "cannot convert int64 to string"
        return f"unrecognized type: {self._wanted}"


class PatchError(SchemaError):
    pass
