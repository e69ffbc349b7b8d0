"""Which images the node has pulled, with whose credentials: a pod without them cannot use an image that
another's brought (KubeletEnsureSecretPulledImages, imagePullCredentialsVerificationPolicy).

The files are like the kubelet's: one for each image pulled, and one for each pull under way, so that a pull
that the agent did not see end counts as one.
"""

import contextlib
import hashlib
import json
import logging
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from kubeling.objects.meta import timestamp
from runtime.images.credentials import Credential
from runtime.images.reference import repository

logger = logging.getLogger(__name__)

NEVER_VERIFY = "NeverVerify"
NEVER_PRELOADED = "NeverVerifyPreloadedImages"
NEVER_ALLOWLISTED = "NeverVerifyAllowlistedImages"
_HEADER = {"apiVersion": "kubelet.config.k8s.io/v1beta1"}
_EVERYBODY = {"nodePodsAccessible": True}

Record = dict[str, Any]


class PullRecords:
    def __init__(self, directory: Path, *, policy: str, allowlist: Sequence[str] = ()) -> None:
        self._pulled, self._pulling = directory / "pulled", directory / "pulling"
        self._policy = policy
        self._allowlist = tuple(allowlist)
        self._known: dict[str, Record | None] = {}

    def must_pull(self, image: str, image_id: str, credentials: Sequence[Credential]) -> bool:
        """Whether an image that is present has to be pulled all the same, to see whether these may."""
        record = self._record(image_id)
        ours = record is not None or self._file(self._pulling, image).exists()
        if not self._is_verified(image, ours):
            return False
        known = ((record or {}).get("credentialMapping") or {}).get(repository(image)) or {}
        return not known.get("nodePodsAccessible") and not any(
            _same(credential, secret)
            for credential in credentials
            for secret in known.get("kubernetesSecrets") or ()
        )

    def begins(self, image: str) -> None:
        """A pull is about to be asked for."""
        self._write(self._file(self._pulling, image), {**_HEADER, "kind": "ImagePullIntent", "image": image})

    def failed(self, image: str) -> None:
        self._file(self._pulling, image).unlink(missing_ok=True)

    def succeeded(self, image: str, image_id: str, credential: Credential | None, *, now: datetime) -> None:
        """With the credential, or for everybody without one."""
        record = self._record(image_id) or {
            **_HEADER,
            "kind": "ImagePulledRecord",
            "imageRef": image_id,
            "credentialMapping": {},
        }
        mapping, place = record["credentialMapping"], repository(image)
        fresh = _with(mapping.get(place) or {}, credential)
        if mapping.get(place) != fresh:
            mapping[place] = fresh
            record["lastUpdatedTime"] = timestamp(now)
            self._known[image_id] = record
            self._write(self._file(self._pulled, image_id), record)
        self.failed(image)

    def prune(self, image_ids: Sequence[str], *, before: datetime) -> None:
        """Drop the records of images that are no longer there: those that are as old as `image_ids`."""
        kept = {self._file(self._pulled, image_id).name for image_id in image_ids}
        self._known.clear()
        for file in self._pulled.glob("sha256-*"):
            if file.name in kept:
                continue
            record = self._read(file)
            if record is None or record.get("lastUpdatedTime", "") < timestamp(before):
                file.unlink(missing_ok=True)

    def _is_verified(self, image: str, ours: bool) -> bool:
        if self._policy == NEVER_VERIFY:
            return False
        if self._policy == NEVER_PRELOADED:
            return ours
        return ours or self._policy != NEVER_ALLOWLISTED or not self._is_allowlisted(repository(image))

    def _is_allowlisted(self, place: str) -> bool:
        return any(
            place == pattern or (pattern.endswith("/*") and place.startswith(pattern[:-1]))
            for pattern in self._allowlist
        )

    def _record(self, image_id: str) -> Record | None:
        if image_id not in self._known:
            self._known[image_id] = self._read(self._file(self._pulled, image_id))
        return self._known[image_id]

    def _read(self, file: Path) -> Record | None:
        with contextlib.suppress(OSError, ValueError):
            record = json.loads(file.read_bytes())
            if isinstance(record, dict) and isinstance(record.get("credentialMapping"), dict):
                return record
        return None

    def _write(self, file: Path, record: Record) -> None:
        """Without the file the image is taken for one that was there before: that is said, no more."""
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            draft = file.with_suffix(".new")
            draft.write_text(json.dumps(record))
            draft.replace(file)
        except OSError as error:
            logger.warning("the record of an image pull cannot be written: %s", error)

    def _file(self, directory: Path, name: str) -> Path:
        return directory / f"sha256-{hashlib.sha256(name.encode()).hexdigest()}"


def _same(credential: Credential, secret: Record) -> bool:
    """The same login, or the same secret with a new one."""
    owner = [secret.get(key) for key in ("uid", "namespace", "name")]
    by_hash = bool(secret.get("credentialHash")) and secret["credentialHash"] == credential.hash
    return by_hash or owner == [credential.uid, credential.namespace, credential.name]


def _with(known: Record, credential: Credential | None) -> Record:
    if credential is None or known.get("nodePodsAccessible"):
        return dict(_EVERYBODY)
    entry = {
        "uid": credential.uid,
        "namespace": credential.namespace,
        "name": credential.name,
        "credentialHash": credential.hash,
    }
    others = [
        each
        for each in known.get("kubernetesSecrets") or ()
        if any(each.get(key) != entry[key] for key in ("uid", "namespace", "name"))
    ]
    return {"kubernetesSecrets": [*others, entry]}
