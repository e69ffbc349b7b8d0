"""The short form in which the tables write policy rules, and what it stands for.

`VERBS : GROUPS : RESOURCES [: NAMES]` or `VERBS : URLS`, each a list of words; `core` is the group without a
name. The words are stored in alphabetical order, as upstream stores them.
"""

from collections.abc import Iterable

from kubeling.objects.meta import Object

READ = "get list watch"
WRITE = "create update patch delete deletecollection"
ALL = f"{READ} {WRITE}"
READ_AND_UPDATE = "get list watch update patch"
EVENTS = "create update patch : core events.k8s.io : events"


def rules(lines: Iterable[str]) -> list[Object]:
    return [rule(line) for line in lines]


def rule(line: str) -> Object:
    """The PolicyRule that a line stands for."""
    parts = [sorted(part.split()) for part in line.split(" : ")]
    if len(parts) == 2:
        return {"verbs": parts[0], "nonResourceURLs": parts[1]}
    groups = sorted("" if group == "core" else group for group in parts[1])
    made: Object = {"verbs": parts[0], "apiGroups": groups, "resources": parts[2]}
    if len(parts) > 3:
        made["resourceNames"] = parts[3]
    return made
