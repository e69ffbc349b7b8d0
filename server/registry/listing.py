"""List: selection, chunks with continue tokens, and the resourceVersion that a list may ask for."""

from collections.abc import Sequence

from kubeling.objects import errors
from kubeling.objects.errors import BadRequest
from kubeling.objects.meta import Object
from server.registry import continuation
from server.registry.causes import forbidden, unsupported
from server.registry.environment import Environment
from server.registry.kind import Kind
from server.registry.options import ListOptions
from server.registry.results import ListResult
from server.registry.selection import Matches, matcher
from server.registry.translation import history_translated, too_large
from server.storage import Record
from server.storage.errors import Compacted, FutureRevision

_LONGEST_REVISION = 20
"""Digits of the largest number that Kubernetes takes for a resourceVersion, 2^64 - 1."""
_LARGEST_REVISION = 2**64 - 1
_TOO_OLD = "The resourceVersion for the provided list is too old."
_EXACT, _NOT_OLDER = "Exact", "NotOlderThan"


async def list_records(env: Environment, kind: Kind, namespace: str, options: ListOptions) -> ListResult:
    matches = matcher(kind, options.selection)
    _check(options)
    if options.continue_token:
        return await _continued(env, kind, namespace, options, matches)
    exact = _exact_revision(options)
    if exact is not None:
        return await _as_it_was(env, kind, namespace, options, matches, exact)
    return await _current(env, kind, namespace, options, matches)


def _check(options: ListOptions) -> None:
    causes, match, version = [], options.resource_version_match, options.resource_version
    if match and not version:
        causes.append(_no_match("resourceVersionMatch is forbidden unless resourceVersion is provided"))
    if match and options.continue_token:
        causes.append(_no_match("resourceVersionMatch is forbidden for continue"))
    if match not in ("", _EXACT, _NOT_OLDER):
        causes.append(unsupported("resourceVersionMatch", match, (_EXACT, _NOT_OLDER, "")))
    if match == _EXACT and version == "0":
        causes.append(_no_match('resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
    if options.send_initial_events is not None:
        causes.append(forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    if causes:
        raise errors.invalid("ListOptions", "", causes, group="meta.k8s.io")


def _no_match(why: str) -> errors.Cause:
    return forbidden("resourceVersionMatch", why)


def revision_of(text: str) -> int:
    """A resourceVersion parameter as a revision; "" is 0.

    Raises:
        BadRequest: it is not one of ours.
    """
    if text and not (text.isascii() and text.isdecimal()):
        raise _not_a_revision(text, "invalid syntax")
    if len(text) > _LONGEST_REVISION or int(text or 0) > _LARGEST_REVISION:
        raise _not_a_revision(text, "value out of range")
    return int(text or 0)


def _not_a_revision(text: str, why: str) -> BadRequest:
    parsing = f'strconv.ParseUint: parsing "{text}": {why}'
    return BadRequest(f'invalid resource version: resourceVersion: Invalid value: "{text}": {parsing}')


def _exact_revision(options: ListOptions) -> int | None:
    """The revision that must be listed as it was; None for the current state, which is always new enough."""
    revision = revision_of(options.resource_version)
    legacy = options.limit > 0 and not options.resource_version_match
    if revision and (options.resource_version_match == _EXACT or legacy):
        return revision
    return None


async def _as_it_was(
    env: Environment, kind: Kind, namespace: str, options: ListOptions, matches: Matches | None, revision: int
) -> ListResult:
    with history_translated():
        try:
            return await _chunk(env, kind, namespace, options, matches, revision=revision, after=None)
        except Compacted as error:
            raise errors.expired(_TOO_OLD) from error


async def _current(
    env: Environment, kind: Kind, namespace: str, options: ListOptions, matches: Matches | None
) -> ListResult:
    revision = env.store.revision
    name = options.selection.fields.exact("metadata.name")
    found: Sequence[Record]
    if name and (namespace or not kind.namespaced):
        record = env.store.get(kind.stored_in, namespace, name)
        found = [record] if record else []
    else:
        found = env.store.list(kind.stored_in, namespace or None)
    if matches is not None:
        found = [record for record in await env.seen(kind, found) if matches(record)]
    if not options.limit or len(found) <= options.limit:
        return ListResult(await env.seen(kind, found), revision)
    chunk = await env.seen(kind, found[: options.limit])
    token = continuation.encode(revision, _place(chunk[-1]))
    remaining = len(found) - len(chunk) if matches is None else None
    return ListResult(chunk, revision, token, remaining)


async def _continued(
    env: Environment, kind: Kind, namespace: str, options: ListOptions, matches: Matches | None
) -> ListResult:
    revision, after = continuation.decode(options.continue_token)
    if options.resource_version not in ("", "0"):
        raise BadRequest("specifying resource version is not allowed when using continue")
    revision = env.store.revision if revision < 0 else revision
    try:
        return await _chunk(env, kind, namespace, options, matches, revision=revision, after=after)
    except Compacted as error:
        raise continuation.expired(after) from error
    except FutureRevision as error:
        raise too_large(error) from error


async def _chunk(
    env: Environment,
    kind: Kind,
    namespace: str,
    options: ListOptions,
    matches: Matches | None,
    *,
    revision: int,
    after: tuple[str, str] | None,
) -> ListResult:
    """The next objects, as of `revision`, that match; as many log reads as it takes to find them."""
    chosen: list[Record] = []
    while True:
        found, remaining = await env.store.list_at(
            kind.stored_in, namespace or None, revision=revision, after=after, limit=options.limit
        )
        found = await env.seen(kind, found)
        for position, record in enumerate(found):
            if matches is None or matches(record):
                chosen.append(record)
            if options.limit and len(chosen) == options.limit:
                left = remaining + len(found) - position - 1
                return _partial(chosen, revision, left, known=matches is None)
        if not remaining or not found:
            return ListResult(chosen, revision)
        after = _place(found[-1])


def _partial(chosen: list[Record], revision: int, left: int, *, known: bool) -> ListResult:
    if not left:
        return ListResult(chosen, revision)
    token = continuation.encode(revision, _place(chosen[-1]))
    return ListResult(chosen, revision, token, left if known else None)


def _place(record: Record) -> tuple[str, str]:
    return record.namespace, record.name


def list_meta(result: ListResult) -> Object:
    """The ListMeta of a result."""
    found: Object = {"resourceVersion": str(result.revision)}
    if result.continue_token:
        found["continue"] = result.continue_token
    if result.remaining:
        found["remainingItemCount"] = result.remaining
    return found
