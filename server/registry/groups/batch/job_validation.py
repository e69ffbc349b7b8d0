"""Validation of Jobs and of the Jobs inside CronJobs."""

from collections.abc import Sequence

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object, labels, name, uid
from kubeling.objects.names import label_errors, path_segment_errors, qualified_name_errors, subdomain_errors
from server.registry.causes import (
    at_least,
    duplicate,
    immutable,
    invalid,
    invalids,
    misfit,
    required,
    too_long,
    too_many,
    unsupported,
)
from server.registry.groups.batch.indexes import IndexesError, count_indexes
from server.registry.groups.core.pod_validation import template_causes

NAME, OLD_NAME = "batch.kubernetes.io/job-name", "job-name"
OWNER, OLD_OWNER = "batch.kubernetes.io/controller-uid", "controller-uid"
_NUMBERS = (
    "parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished",
    "backoffLimitPerIndex", "maxFailedIndexes",
)  # fmt: skip
_MANY, _LARGE = 100_000, 10_000
_MOST_RULES, _MOST_CODES, _MOST_PATTERNS = 20, 255, 20
_LONGEST_MANAGER, _LONGEST_INDEXES = 63, 64 * 1024
_ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
_MODES = ("NonIndexed", "Indexed")
_STATUSES = ("False", "True", "Unknown")
_INDEXED = "requires indexed completion mode"


def job_spec_causes(field: str, spec: Object) -> list[Cause]:
    causes = [cause for number in _NUMBERS for cause in at_least(f"{field}.{number}", spec.get(number))]
    if "maxFailedIndexes" in spec and "backoffLimitPerIndex" not in spec:
        why = "when maxFailedIndexes is specified"
        causes.append(required(f"{field}.backoffLimitPerIndex", why))
    if (manager := spec.get("managedBy")) is not None:
        causes += _manager_causes(f"{field}.managedBy", manager)
    causes += _mode_causes(field, spec)
    if (policy := spec.get("podFailurePolicy")) is not None:
        causes += _failure_causes(f"{field}.podFailurePolicy.rules", policy.get("rules") or [], spec)
    if (policy := spec.get("successPolicy")) is not None:
        causes += _success_causes(f"{field}.successPolicy", policy, spec)
    causes += _replacement_causes(f"{field}.podReplacementPolicy", spec)
    causes += template_causes(f"{field}.template", spec.get("template") or {})
    return causes + _restart_causes(f"{field}.template.spec.restartPolicy", spec)


def _manager_causes(field: str, manager: str) -> list[Cause]:
    domain, slash, path = manager.partition("/")
    if not manager:
        return [required(field)]
    if not slash or not domain or not path:
        why = 'must be a domain-prefixed path (such as "acme.io/foo")'
        return [invalid(field, manager, why)]
    causes = invalids(field, domain, subdomain_errors(domain))
    causes += invalids(field, path, path_segment_errors(path))
    return [*causes, too_long(field, _LONGEST_MANAGER)] if len(manager) > _LONGEST_MANAGER else causes


def _mode_causes(field: str, spec: Object) -> list[Cause]:
    mode = spec.get("completionMode", "NonIndexed")
    causes: list[Cause] = []
    if mode not in _MODES:
        causes.append(unsupported(f"{field}.completionMode", mode, _MODES))
    if mode == "Indexed":
        causes += _indexed_causes(field, spec)
    if mode == "NonIndexed":
        causes += [
            invalid(f"{field}.{number}", spec[number], _INDEXED)
            for number in ("backoffLimitPerIndex", "maxFailedIndexes")
            if number in spec
        ]
    return causes


def _indexed_causes(field: str, spec: Object) -> list[Cause]:
    completions, parallelism = spec.get("completions"), spec.get("parallelism", 0)
    failed = spec.get("maxFailedIndexes")
    causes: list[Cause] = []
    if completions is None:
        causes.append(required(f"{field}.completions", "when completion mode is Indexed"))
    if parallelism > _MANY:
        why = f"must be less than or equal to {_MANY} when completion mode is Indexed"
        causes.append(invalid(f"{field}.parallelism", parallelism, why))
    if failed is not None and completions is not None and failed > completions:
        why = "must be less than or equal to completions"
        causes.append(invalid(f"{field}.maxFailedIndexes", failed, why))
    if failed is not None and failed > _MANY:
        causes.append(invalid(f"{field}.maxFailedIndexes", failed, f"must be less than or equal to {_MANY}"))
    if (completions or 0) > _MANY and "backoffLimitPerIndex" in spec:
        causes += _large_causes(field, parallelism, failed)
    return causes


def _large_causes(field: str, parallelism: int, failed: int | None) -> list[Cause]:
    limit = (
        f"must be less than or equal to {_LARGE} when completions are above {_MANY} and used with backoff"
        " limit per index"
    )
    causes: list[Cause] = []
    if failed is None:
        why = f"must be specified when completions is above {_MANY}"
        causes.append(required(f"{field}.maxFailedIndexes", why))
    if parallelism > _LARGE:
        causes.append(invalid(f"{field}.parallelism", parallelism, limit))
    if failed is not None and failed > _LARGE:
        causes.append(invalid(f"{field}.maxFailedIndexes", failed, limit))
    return causes


def _chosen(field: str, value: str | None, supported: Sequence[str]) -> list[Cause]:
    if not value:
        listed = " ".join(f'"{each}"' for each in supported)
        return [required(field, f"valid values: [{listed}]")]
    return [] if value in supported else [unsupported(field, value, supported)]


def _failure_causes(field: str, rules: list[Object], spec: Object) -> list[Cause]:
    pod = (spec.get("template") or {}).get("spec") or {}
    names = {each.get("name") for part in ("containers", "initContainers") for each in pod.get(part) or ()}
    causes = [too_many(field, len(rules), _MOST_RULES)] if len(rules) > _MOST_RULES else []
    for position, rule in enumerate(rules):
        where, action = f"{field}[{position}]", rule.get("action")
        causes += _chosen(f"{where}.action", action, _ACTIONS)
        if action == "FailIndex" and "backoffLimitPerIndex" not in spec:
            why = "requires the backoffLimitPerIndex to be set"
            causes.append(invalid(f"{where}.action", action, why))
        codes, conditions = rule.get("onExitCodes"), rule.get("onPodConditions") or []
        if codes is not None:
            causes += _code_causes(f"{where}.onExitCodes", codes, names)
        causes += _condition_causes(f"{where}.onPodConditions", conditions)
        if codes is not None and conditions:
            causes.append(misfit(where, "specifying both OnExitCodes and OnPodConditions is not supported"))
        if codes is None and not conditions:
            causes.append(misfit(where, "specifying one of OnExitCodes and OnPodConditions is required"))
    return causes


def _condition_causes(field: str, patterns: list[Object]) -> list[Cause]:
    causes = [too_many(field, len(patterns), _MOST_PATTERNS)] if len(patterns) > _MOST_PATTERNS else []
    for position, each in enumerate(patterns):
        where, kind = f"{field}[{position}]", each.get("type", "")
        causes += invalids(f"{where}.type", kind, qualified_name_errors(kind))
        causes += _chosen(f"{where}.status", each.get("status"), _STATUSES)
    return causes


def _code_causes(field: str, codes: Object, names: set[str | None]) -> list[Cause]:
    operator, container, values = codes.get("operator"), codes.get("containerName"), codes.get("values") or []
    causes = _chosen(f"{field}.operator", operator, ("In", "NotIn"))
    if container is not None and container not in names:
        why = "must be one of the container or initContainer names in the pod template"
        causes.append(invalid(f"{field}.containerName", container, why))
    where = f"{field}.values"
    if not values:
        causes.append(invalid(where, values, "at least one value is required"))
    elif len(values) > _MOST_CODES:
        causes.append(too_many(where, len(values), _MOST_CODES))
    for position, value in enumerate(values):
        if operator == "In" and value == 0:
            causes.append(invalid(f"{where}[{position}]", value, "must not be 0 for the In operator"))
        if value in values[:position]:
            causes.append(duplicate(f"{where}[{position}]", value))
    if values != sorted(values):
        causes.append(invalid(where, values, "must be ordered"))
    return causes


def _success_causes(field: str, policy: Object, spec: Object) -> list[Cause]:
    if spec.get("completionMode") != "Indexed":
        return [invalid(field, policy, _INDEXED)]
    rules, where = policy.get("rules") or [], f"{field}.rules"
    causes: list[Cause] = []
    if not rules:
        why = "at least one rules must be specified when the successPolicy is specified"
        causes.append(required(where, why))
    if len(rules) > _MOST_RULES:
        causes.append(too_many(where, len(rules), _MOST_RULES))
    for position, rule in enumerate(rules):
        causes += _success_rule_causes(f"{where}[{position}]", rule, spec.get("completions") or 0)
    return causes


def _success_rule_causes(field: str, rule: Object, completions: int) -> list[Cause]:
    count, indexes = rule.get("succeededCount"), rule.get("succeededIndexes")
    causes: list[Cause] = []
    if count is None and indexes is None:
        why = "at least one of succeededCount or succeededIndexes must be specified"
        causes.append(required(field, why))
    named = 0
    if indexes is not None:
        where = f"{field}.succeededIndexes"
        causes += [too_long(where, _LONGEST_INDEXES)] if len(indexes) > _LONGEST_INDEXES else []
        try:
            named = count_indexes(indexes, completions)
        except IndexesError as error:
            causes.append(invalid(where, indexes, f"error parsing succeededIndexes: {error}"))
    if count is not None:
        where = f"{field}.succeededCount"
        causes += at_least(where, count)
        if count > completions:
            why = f"must be less than or equal to {completions} (the number of specified completions)"
            causes.append(invalid(where, count, why))
        if indexes is not None and count > named:
            noun = "(the number of indexes in the specified succeededIndexes field)"
            causes.append(invalid(where, count, f"must be less than or equal to {named} {noun}"))
    return causes


def _replacement_causes(field: str, spec: Object) -> list[Cause]:
    policy = spec.get("podReplacementPolicy")
    supported = ("Failed",) if spec.get("podFailurePolicy") is not None else ("Failed", "TerminatingOrFailed")
    return [] if policy is None or policy in supported else [unsupported(field, policy, supported)]


def _restart_causes(field: str, spec: Object) -> list[Cause]:
    policy = ((spec.get("template") or {}).get("spec") or {}).get("restartPolicy", "")
    if policy in ("", "Always"):
        return [required(field, 'valid values: "OnFailure", "Never"')]
    if policy not in ("OnFailure", "Never"):
        return [unsupported(field, policy, ("OnFailure", "Never"))]
    if spec.get("podFailurePolicy") is not None and policy != "Never":
        why = 'only "Never" is supported when podFailurePolicy is specified'
        return [invalid(field, policy, why)]
    return []


def job_create_causes(obj: Object) -> list[Cause]:
    """A generated selector selects the Job's pods and no others; the pods' names are labels."""
    spec = obj["spec"]
    causes = [] if spec.get("manualSelector") else _generated_causes(obj, spec)
    completions = spec.get("completions") or 0
    if spec.get("completionMode") == "Indexed" and completions > 0:
        longest = f"{name(obj)}-{completions - 1}"
        if label_errors(longest):
            why = f"will not able to create pod with invalid DNS label: {longest}"
            causes.append(invalid("metadata.name", name(obj), why))
    return causes


def _generated_causes(obj: Object, spec: Object) -> list[Cause]:
    found = labels(spec["template"])
    expected = {OWNER: uid(obj), OLD_OWNER: uid(obj), NAME: name(obj), OLD_NAME: name(obj)}
    causes = [
        invalid(f"spec.template.metadata.labels[{key}]", found.get(key), f"must be '{expected[key]}'")
        for key in (OWNER, NAME)
        if found.get(key) != expected[key]
    ]
    selected = (spec.get("selector") or {}).get("matchLabels") or {}
    if any(expected.get(key) != value for key, value in selected.items()):
        causes.append(invalid("spec.selector", spec["selector"], "`selector` not auto-generated"))
    return causes


def completion_update_causes(spec: Object, before: Object) -> list[Cause]:
    """Indexed Jobs may grow and shrink, with their parallelism."""
    new, field = spec.get("completions"), "spec.completions"
    if new == before.get("completions"):
        return []
    if spec.get("completionMode") != "Indexed":
        return [immutable(field, new)]
    if new is not None and new != spec.get("parallelism"):
        return [invalid(field, new, "can only be modified in tandem with spec.parallelism")]
    return []
