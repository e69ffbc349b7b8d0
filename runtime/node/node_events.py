"""Events about the node itself: they name it by its name where those of other objects have a uid."""

from runtime.pods.context import Recorder


class NodeEvents:
    def __init__(self, recorder: Recorder, name: str) -> None:
        self._recorder = recorder
        self._node = {"kind": "Node", "apiVersion": "v1", "metadata": {"name": name, "uid": name}}

    def normal(self, reason: str, message: str) -> None:
        self._recorder.event(self._node, "Normal", reason, message)

    def warning(self, reason: str, message: str) -> None:
        self._recorder.event(self._node, "Warning", reason, message)
