"""Which representation of an answer the client wants: the Accept header, by quality and parameters.

JSON and YAML are spoken; an object or a list can also be asked for as a Table or as PartialObjectMetadata.
Writing the representations is for `reply`, `tables` and the registry.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from kubeling.objects.errors import NotAcceptable, UnsupportedMediaType

JSON = "application/json"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
META_GROUP = "meta.k8s.io"


@dataclass(frozen=True, slots=True)
class MediaRange:
    """One clause of an Accept header."""

    type: str
    subtype: str
    quality: float
    parameters: tuple[tuple[str, str], ...]

    def parameter(self, name: str) -> str:
        return next((value for key, value in self.parameters if key == name), "")

    def covers(self, media: str) -> bool:
        main, _, sub = media.partition("/")
        return self.type in (main, "*") and self.subtype in (sub, "*")


@dataclass(frozen=True, slots=True)
class Representation:
    """How to write an answer: a media type and, unless the plain object is wanted, what to turn it into."""

    media: str = JSON
    kind: str = ""
    """"", "Table", "PartialObjectMetadata" or "PartialObjectMetadataList"."""
    version: str = ""
    """The version of `kind` in meta.k8s.io: v1 or v1beta1."""


_LONGEST_ACCEPT = 2048
PLAIN = Representation()
_TRANSFORMS = frozenset({"Table", "PartialObjectMetadata", "PartialObjectMetadataList"})


def accepted(headers: Mapping[str, str]) -> str:
    """The Accept header, as far as it is read: what is made of it is remembered, and must not grow."""
    return headers.get("Accept", "")[:_LONGEST_ACCEPT]


@lru_cache(maxsize=256)
def parse_accept(header: str) -> tuple[MediaRange, ...]:
    """The clauses of an Accept header, best quality first and otherwise in their order."""
    ranges = [_media_range(clause) for clause in header.split(",") if clause.strip()]
    return tuple(sorted((range for range in ranges if range.quality > 0), key=lambda range: -range.quality))


def _media_range(clause: str) -> MediaRange:
    media, *rest = (part.strip() for part in clause.split(";"))
    pairs = [(key.strip(), value.strip()) for key, _, value in (part.partition("=") for part in rest) if key]
    main, _, sub = media.partition("/")
    quality = next((_quality(value) for key, value in pairs if key == "q"), 1.0)
    parameters = tuple((key, value) for key, value in pairs if key != "q")
    return MediaRange(main or "*", sub or "*", quality, parameters)


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 1.0


@lru_cache(maxsize=256)
def resource_representation(header: str, *, tables: bool = True) -> Representation:
    """The representation for objects and lists; what is only ever posted has no `tables`.

    Raises:
        NotAcceptable: nothing that the header names can be made.
    """
    if not header:
        return PLAIN
    for clause in parse_accept(header):
        chosen = _for_resource(clause)
        if chosen is not None and (tables or chosen.kind != "Table"):
            return chosen
    raise not_acceptable(JSON, YAML)


def _for_resource(clause: MediaRange) -> Representation | None:
    media = next((media for media in (JSON, YAML) if clause.covers(media)), None)
    if media is None:
        return None
    kind = clause.parameter("as")
    if not kind:
        return Representation(media)
    version = clause.parameter("v")
    if kind in _TRANSFORMS and clause.parameter("g") == META_GROUP and version in ("v1", "v1beta1"):
        return Representation(media, kind, version)
    return None


@lru_cache(maxsize=256)
def plain_media(header: str) -> str:
    """JSON or YAML, for answers that have no other representation (discovery, Status).

    Raises:
        NotAcceptable: neither will do.
    """
    if not header:
        return JSON
    for clause in parse_accept(header):
        for media in (JSON, YAML):
            if clause.covers(media) and not clause.parameter("as"):
                return media
    raise not_acceptable(JSON, YAML)


def error_media(header: str) -> str:
    """The media type for a Status about a failure: JSON unless YAML was asked for; never fails."""
    try:
        return plain_media(header)
    except NotAcceptable:
        return JSON


def not_acceptable(*media: str) -> NotAcceptable:
    accepted = ", ".join(media)
    return NotAcceptable(f"only the following media types are accepted: {accepted}")


def body_media(content_type: str) -> str:
    """JSON, YAML or protobuf from a Content-Type; none means JSON.

    Raises:
        UnsupportedMediaType: the body is in another form.
    """
    media = media_type(content_type)
    if media in ("", "*/*", JSON):
        return JSON
    if media in (YAML, "application/x-yaml", "text/yaml"):
        return YAML
    if media == PROTOBUF:
        return PROTOBUF
    raise unsupported_media(media, JSON, YAML, PROTOBUF)


def media_type(content_type: str) -> str:
    """The media type alone, without parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def unsupported_media(media: str, *accepted: str) -> UnsupportedMediaType:
    listed = ", ".join(accepted)
    return UnsupportedMediaType(
        f"the body of the request was in an unknown format - accepted media types include: {listed}"
    )
