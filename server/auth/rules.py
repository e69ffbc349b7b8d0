"""Policy rules: whether one allows a request, whether some cover others, and how they are written in errors.

Upstream's `rbac` helpers. Rules come as the objects that are stored; `compiled` makes the form that is asked.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from kubeling.objects.meta import Object

ANY = "*"
_LISTS = ("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs")
FULL_AUTHORITY: tuple[Object, ...] = (
    {"verbs": [ANY], "apiGroups": [ANY], "resources": [ANY]},
    {"verbs": [ANY], "nonResourceURLs": [ANY]},
)


class Rule(NamedTuple):
    verbs: frozenset[str]
    groups: frozenset[str]
    resources: frozenset[str]
    names: frozenset[str]
    """Empty: all names."""
    urls: tuple[str, ...]

    def allows_verb(self, verb: str) -> bool:
        return verb in self.verbs or ANY in self.verbs

    def allows_resource(self, group: str, resource: str, subresource: str) -> bool:
        """Whatever the name is; `resource/subresource`, `*/subresource` and `*` match a subresource."""
        if group not in self.groups and ANY not in self.groups:
            return False
        if ANY in self.resources:
            return True
        if not subresource:
            return resource in self.resources
        return f"{resource}/{subresource}" in self.resources or f"*/{subresource}" in self.resources

    def allows_path(self, path: str) -> bool:
        return any(_url_covers(url, path) for url in self.urls)


def compiled(rules: Iterable[Mapping[str, Any]] | None) -> tuple[Rule, ...]:
    return tuple(_compiled(rule) for rule in rules or ())


def _compiled(rule: Mapping[str, Any]) -> Rule:
    verbs, groups, resources, names = (frozenset(rule.get(key) or ()) for key in _LISTS[:4])
    return Rule(verbs, groups, resources, names, tuple(rule.get("nonResourceURLs") or ()))


def _url_covers(owned: str, wanted: str) -> bool:
    if owned in (ANY, wanted):
        return True
    return owned.endswith(ANY) and wanted.startswith(owned.rstrip(ANY))


def missing(owned: Iterable[Mapping[str, Any]], wanted: Iterable[Mapping[str, Any]]) -> list[Object]:
    """What of the wanted rules the owned ones do not cover, broken down to one verb on one resource each."""
    have = [*owned]
    return [part for rule in wanted for part in _parts(rule) if not any(_covers(each, part) for each in have)]


def _parts(rule: Mapping[str, Any]) -> Iterator[Object]:
    """The rule as rules of one verb, group, resource and name, or one verb and URL."""
    for group in rule.get("apiGroups") or ():
        for resource in rule.get("resources") or ():
            for verb in rule.get("verbs") or ():
                single = {"verbs": [verb], "apiGroups": [group], "resources": [resource]}
                names = rule.get("resourceNames") or ()
                yield from ({**single, "resourceNames": [name]} for name in names)
                if not names:
                    yield single
    for url in rule.get("nonResourceURLs") or ():
        yield from ({"verbs": [verb], "nonResourceURLs": [url]} for verb in rule.get("verbs") or ())


def _covers(owner: Mapping[str, Any], part: Object) -> bool:
    if not _has(owner, "verbs", part):
        return False
    if "nonResourceURLs" in part:
        wanted = part["nonResourceURLs"][0]
        return any(_url_covers(url, wanted) for url in owner.get("nonResourceURLs") or ())
    return _has(owner, "apiGroups", part) and _covers_resource(owner, part) and _covers_name(owner, part)


def _has(owner: Mapping[str, Any], key: str, part: Object) -> bool:
    owned = owner.get(key) or ()
    return ANY in owned or part[key][0] in owned


def _covers_resource(owner: Mapping[str, Any], part: Object) -> bool:
    owned, wanted = owner.get("resources") or (), part["resources"][0]
    if ANY in owned or wanted in owned:
        return True
    _, slash, subresource = wanted.partition("/")
    return bool(slash) and f"*/{subresource}" in owned


def _covers_name(owner: Mapping[str, Any], part: Object) -> bool:
    owned = owner.get("resourceNames") or ()
    return not owned or (part.get("resourceNames") or [""])[0] in owned


def compact(rules: Iterable[Object]) -> list[Object]:
    """Rules of single resources with the verbs of the same group, resource and name put together."""
    whole: list[Object] = []
    simple: dict[tuple[str, str, str | None], Object] = {}
    for rule in rules:
        if len(rule.get("apiGroups") or ()) != 1 or len(rule.get("resources") or ()) != 1:
            whole.append(rule)
            continue
        name = (rule.get("resourceNames") or [None])[0]
        key = (rule["apiGroups"][0], rule["resources"][0], name)
        kept = simple.setdefault(key, {**rule, "verbs": []})
        kept["verbs"] = [*kept["verbs"], *rule["verbs"]]
    return [*whole, *simple.values()]


def described(rules: Iterable[Object]) -> str:
    """Rules that are missing, in the form of upstream's errors: one compacted rule a line, sorted."""
    return "\n".join(sorted({_described(rule) for rule in compact(rules)}))


def _described(rule: Object) -> str:
    shown = (
        ("APIGroups", "apiGroups"),
        ("Resources", "resources"),
        ("NonResourceURLs", "nonResourceURLs"),
        ("ResourceNames", "resourceNames"),
        ("Verbs", "verbs"),
    )
    return "{" + ", ".join(f"{name}:{quoted(rule[key])}" for name, key in shown if rule.get(key)) + "}"


def quoted(texts: Sequence[str]) -> str:
    """`["a" "b"]`, as Go prints a slice of texts with %q."""
    return "[" + " ".join(orjson.dumps(text).decode() for text in texts) + "]"
