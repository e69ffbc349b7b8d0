"""Events about one pod and its containers: their form. The texts are written where things happen."""

from collections.abc import Mapping

from kubeling.objects.meta import Object
from runtime.pods.containers.kinds import kind_of
from runtime.pods.context import Recorder


class PodEvents:
    """Records events about the pod or one of its containers; none about an orphan without an object."""

    def __init__(self, recorder: Recorder, pod: Object) -> None:
        self._recorder = recorder
        self._pod = pod

    def normal(self, reason: str, message: str, *, container: str = "") -> None:
        self._record("Normal", reason, message, container)

    def warning(
        self,
        reason: str,
        message: str,
        *,
        container: str = "",
        annotations: Mapping[str, str] | None = None,
    ) -> None:
        self._record("Warning", reason, message, container, annotations)

    def _record(
        self,
        kind: str,
        reason: str,
        message: str,
        container: str,
        annotations: Mapping[str, str] | None = None,
    ) -> None:
        if not self._pod:
            return
        path = ""
        if container:
            path = f"spec.{kind_of(self._pod, container)}{{{container}}}"
        self._recorder.event(self._pod, kind, reason, message, field_path=path, annotations=annotations or {})
