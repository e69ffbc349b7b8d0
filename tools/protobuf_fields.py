#!/usr/bin/env python3
"""Writes server/api/protobuf_fields.json: how the API's objects are laid out in protobuf.

    python tools/protobuf_fields.py /usr/bin/kubectl server/api/protobuf_fields.json

The facts (field numbers, JSON names, which fields can be absent) are read from the type information that
any Go program carries, here a stock kubectl's; the newer it is, the newer the fields. Only those types are
taken that a request body can hold: the kinds that the server serves, its subresources, what they contain.

A kubectl that is older than the server knows some kinds by an earlier version only, which is laid out alike
(`_EARLIER`), and some types and fields not at all: these stand in `protobuf_numbers.json` beside this file,
in the form of the table.
"""

import json
import re
import struct
import sys
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from server.registry import index

_BOOL, _INTS, _FLOATS = 1, range(2, 13), (13, 14)
_MAP, _POINTER, _SLICE, _STRING, _STRUCT = 21, 22, 23, 24, 25
_META = "k8s.io/apimachinery/pkg/apis/meta/v1"
_SPECIAL = {
    f"{_META}.Time": "time",
    f"{_META}.MicroTime": "microtime",
    f"{_META}.Duration": "duration",
    f"{_META}.FieldsV1": "raw",
    "k8s.io/apimachinery/pkg/api/resource.Quantity": "quantity",
    "k8s.io/apimachinery/pkg/util/intstr.IntOrString": "intorstring",
    "k8s.io/apimachinery/pkg/runtime.RawExtension": "raw",
    "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1.JSON": "raw",
}
_DIRECTORIES = {
    "": "k8s.io/api/core",
    "internal.apiserver.k8s.io": "k8s.io/api/apiserverinternal",
    "apiextensions.k8s.io": "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions",
    "apiregistration.k8s.io": "k8s.io/kube-aggregator/pkg/apis/apiregistration",
}


_EARLIER = {
    "k8s.io/api/admissionregistration/v1.MutatingAdmissionPolicy": "v1alpha1",
    "k8s.io/api/admissionregistration/v1.MutatingAdmissionPolicyBinding": "v1alpha1",
    "k8s.io/api/certificates/v1.ClusterTrustBundle": "v1beta1",
    "k8s.io/api/resource/v1.DeviceClass": "v1beta2",
    "k8s.io/api/resource/v1.DeviceTaintRule": "v1alpha3",
    "k8s.io/api/resource/v1.ResourceClaim": "v1beta2",
    "k8s.io/api/resource/v1.ResourceClaimTemplate": "v1beta2",
    "k8s.io/api/resource/v1.ResourceSlice": "v1beta2",
    "k8s.io/api/storage/v1.VolumeAttributesClass": "v1beta1",
}
_NUMBERS = Path(__file__).with_name("protobuf_numbers.json")


class GoType(NamedTuple):
    address: int
    kind: int
    package: str
    name: str
    named: bool
    """Declared under a name of its own, as `type Verbs []string` is; such a slice is a message of items."""

    @property
    def full_name(self) -> str:
        return f"{self.package}.{self.name}"


class GoProgram:
    """The type information in a Go program for 64-bit Linux."""

    def __init__(self, path: Path) -> None:
        self._data = path.read_bytes()
        self._sections = dict(self._read_sections())

    def _read_sections(self) -> Any:
        offset, count, names = (
            struct.unpack_from("<Q", self._data, 0x28)[0],
            *struct.unpack_from("<HH", self._data, 0x3C),
        )
        headers = [struct.unpack_from("<IIQQQQ", self._data, offset + 64 * i) for i in range(count)]
        texts = headers[names][4]
        for name, _, _, address, place, size in headers:
            end = self._data.index(b"\0", texts + name)
            yield self._data[texts + name : end].decode(), (address, place, size)

    def _at(self, address: int) -> int:
        start, place, _ = self._sections[".rodata"]
        return int(place + address - start)

    def _unpack(self, form: str, address: int) -> tuple[Any, ...]:
        return struct.unpack_from(form, self._data, self._at(address))

    def _varint(self, address: int) -> tuple[int, int]:
        value = shift = 0
        while True:
            byte = self._data[self._at(address)]
            value |= (byte & 0x7F) << shift
            address, shift = address + 1, shift + 7
            if byte < 0x80:
                return value, address

    def _name(self, address: int) -> tuple[str, str]:
        """A name and, for fields, its tag."""
        flags = self._data[self._at(address)]
        length, start = self._varint(address + 1)
        place = self._at(start)
        name, tag = self._data[place : place + length].decode(), ""
        if flags & 2:
            size, begin = self._varint(start + length)
            tag = self._data[self._at(begin) : self._at(begin) + size].decode()
        return name, tag

    @property
    def _base(self) -> int:
        return int(self._sections[".rodata"][0])

    def type_at(self, address: int) -> GoType:
        flags, kind, text = (
            *self._unpack("<B", address + 20),
            self._unpack("<B", address + 23)[0] & 31,
            self._unpack("<i", address + 40)[0],
        )
        name = self._name(self._base + text)[0].lstrip("*").rpartition(".")[2]
        package = ""
        if flags & 1 and kind == _STRUCT:
            offset = self._unpack("<i", address + 80)[0]
            package = self._name(self._base + offset)[0] if offset else ""
        return GoType(address, kind, package, name, named=bool(flags & 4))

    def element(self, of: GoType) -> GoType:
        return self.type_at(self._unpack("<Q", of.address + 48)[0])

    def map_element(self, of: GoType) -> GoType:
        return self.type_at(self._unpack("<Q", of.address + 56)[0])

    def fields(self, of: GoType) -> list[tuple[str, GoType]]:
        """Tag and type of each field of a struct."""
        start, count = self._unpack("<QQ", of.address + 56)
        found = []
        for i in range(count):
            name, kind = self._unpack("<QQ", start + 24 * i)
            found.append((self._name(name)[1], self.type_at(kind)))
        return found

    @cached_property
    def structs(self) -> dict[str, GoType]:
        """All struct types that something points to, by full name."""
        _, place, size = self._sections[".typelink"]
        found = {}
        for offset in struct.unpack_from(f"<{size // 4}i", self._data, place):
            linked = self.type_at(self._base + offset)
            if linked.kind == _POINTER:
                target = self.element(linked)
                if target.kind == _STRUCT and target.package:
                    found[target.full_name] = target
        return found


class Table:
    """The layouts of types, collected from roots down."""

    def __init__(self, program: GoProgram) -> None:
        self._program = program
        self.types: dict[str, list[list[Any]]] = {}

    def add(self, of: GoType) -> None:
        if of.full_name in self.types or of.full_name in _SPECIAL:
            return
        self.types[of.full_name] = layout = []
        for tag, kind in self._program.fields(of):
            protobuf = re.search(r'protobuf:"(?:[^",]*),(\d+),', tag)
            json_tag = re.search(r'json:"([^",]*)((?:,\w+)*)"', tag)
            if protobuf is None or json_tag is None or json_tag.group(1) == "-":
                continue
            options = json_tag.group(2).split(",")
            pointer = kind.kind == _POINTER
            target = self._program.element(kind) if pointer else kind
            form = self._form(target)
            keep = pointer or not {"omitempty", "omitzero"} & set(options)
            name = "" if "inline" in options and not json_tag.group(1) else json_tag.group(1)
            layout.append([int(protobuf.group(1)), name, form, int(keep), int(pointer)])

    def _form(self, of: GoType) -> Any:
        """`"string"`, `["list", form]`, `["map", form]`, `["items", form]`, or the full name of a message.

        By hand there is `["either", name]` as well: a message of which one field stands for the whole."""
        if of.full_name in _SPECIAL:
            return _SPECIAL[of.full_name]
        if of.kind == _STRUCT:
            self.add(of)
            return of.full_name
        if of.kind == _POINTER:
            return self._form(self._program.element(of))
        if of.kind == _MAP:
            return ["map", self._form(self._program.map_element(of))]
        if of.kind == _SLICE:
            element = self._program.element(of)
            if element.kind == 8:
                return "bytes"
            return ["items" if of.named else "list", self._form(element)]
        return _scalar(of.kind)


def _scalar(kind: int) -> str:
    if kind == _BOOL:
        return "bool"
    if kind in _FLOATS:
        return "float"
    return "int" if kind in _INTS else "string"


def roots() -> dict[str, str]:
    """`group/version/kind` → the Go type that is sent for it."""
    found = {}
    for kind in index.BUILT_IN:
        for version in kind.versions:
            found[f"{kind.group}/{version}/{kind.kind}"] = _go_name(kind.group, version, kind.kind)
            for each in kind.subresources.values():
                group, own = (each.group, each.version) if each.version else (kind.group, version)
                found[f"{group}/{own}/{each.kind}"] = _go_name(group, own, each.kind)
    return found


def _go_name(group: str, version: str, kind: str) -> str:
    directory = _DIRECTORIES.get(group) or f"k8s.io/api/{group.partition('.')[0]}"
    return f"{directory}/{version}.{kind}"


def _known_as(name: str, go: GoProgram) -> str:
    """The name that the program has for a type."""
    if name in go.structs or name not in _EARLIER:
        return name
    package, _, kind = name.rpartition(".")
    return f"{package.rpartition('/')[0]}/{_EARLIER[name]}.{kind}"


def _complete(types: dict[str, list[list[Any]]]) -> None:
    """Adds the types and fields that the program lacks."""
    for name, rows in json.loads(_NUMBERS.read_text()).items():
        known = types.setdefault(name, [])
        known += [row for row in rows if row[0] not in {each[0] for each in known}]


def main(program: str, target: str) -> None:
    go = GoProgram(Path(program))
    table = Table(go)
    by_hand = json.loads(_NUMBERS.read_text())
    names = {kind: _known_as(name, go) for kind, name in sorted(roots().items())}
    kinds = {kind: name for kind, name in names.items() if name in go.structs or name in by_hand}
    for name in (*kinds.values(), f"{_META}.DeleteOptions"):
        if name in go.structs:
            table.add(go.structs[name])
    _complete(table.types)
    document = {"kinds": kinds, "types": {name: table.types[name] for name in sorted(table.types)}}
    Path(target).write_text(_written(document))
    missing = sorted(kind for kind in roots() if kind not in kinds)
    sys.stderr.write(f"{len(kinds)} kinds, {len(table.types)} types; not known here: {' '.join(missing)}\n")


def _written(document: dict[str, Any]) -> str:
    """A line for each type, so that a difference can be read."""
    parts = []
    for section, entries in document.items():
        lines = [
            f"{json.dumps(name)}:{json.dumps(value, separators=(',', ':'))}"
            for name, value in entries.items()
        ]
        parts.append(f"{json.dumps(section)}:{{\n" + ",\n".join(lines) + "\n}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    main(*sys.argv[1:])
