"""Which optional values the stored form leaves out when they are zero, as Go's `omitempty` does.

Lists and maps always, strings unless Go has a pointer for them, booleans and integers only where it has none:
the definitions do not say, so the tables here do. Leaving out matters to clients that compare what they sent
with what they read.
"""

from collections.abc import Mapping
from typing import Any

Fields = Mapping[str, tuple[str, ...]]
"""Field names by the struct's."""

POINTER_STRINGS: Fields = {
    "AppArmorProfile": ("localhostProfile",),
    "CSIPersistentVolumeSource": ("fsType",),
    "CSIVolumeSource": ("fsType",),
    "ContainerStatus": ("stopSignal",),
    "CronJobSpec": ("timeZone",),
    "Endpoint": ("hostname", "nodeName", "zone"),
    "EndpointAddress": ("nodeName",),
    "EndpointPort": ("appProtocol", "name", "protocol"),
    "ExternalDocumentation": ("url",),
    "GRPCAction": ("service",),
    "HostPathVolumeSource": ("type",),
    "IngressClassParametersReference": ("apiGroup", "namespace"),
    "IngressSpec": ("ingressClassName",),
    "JSONSchemaProps": ("x-kubernetes-list-type",),
    "JobSpec": ("managedBy",),
    "LeaseSpec": ("holderIdentity", "preferredHolder"),
    "PersistentVolumeClaimSpec": ("storageClassName", "volumeAttributesClassName"),
    "PersistentVolumeClaimStatus": ("currentVolumeAttributesClassName",),
    "PersistentVolumeSpec": ("volumeAttributesClassName",),
    "PodFailurePolicyOnExitCodesRequirement": ("containerName",),
    "PodSpec": ("hostnameOverride", "runtimeClassName"),
    "SeccompProfile": ("localhostProfile",),
    "ServicePort": ("appProtocol",),
    "ServiceReference": ("path",),
    "ServiceSpec": ("loadBalancerClass",),
    "TypedLocalObjectReference": ("apiGroup",),
    "TypedObjectReference": ("apiGroup", "namespace"),
    "VolumeAttachmentSource": ("persistentVolumeName",),
    "VolumeMount": ("mountPropagation",),
    "WebhookClientConfig": ("url",),
}

VALUE_BOOLEANS: Fields = {
    "APIServiceSpec": ("insecureSkipTLSVerify",),
    "AWSElasticBlockStoreVolumeSource": ("readOnly",),
    "AzureFileVolumeSource": ("readOnly",),
    "CSIPersistentVolumeSource": ("readOnly",),
    "CephFSVolumeSource": ("readOnly",),
    "Container": ("stdin", "stdinOnce", "tty"),
    "CustomResourceDefinitionSpec": ("preserveUnknownFields",),
    "CustomResourceDefinitionVersion": ("deprecated",),
    "DeploymentSpec": ("paused",),
    "EphemeralContainer": ("stdin", "stdinOnce", "tty"),
    "FCVolumeSource": ("readOnly",),
    "GCEPersistentDiskVolumeSource": ("readOnly",),
    "ISCSIVolumeSource": ("readOnly",),
    "JSONSchemaProps": (
        "exclusiveMaximum",
        "exclusiveMinimum",
        "nullable",
        "uniqueItems",
        "x-kubernetes-embedded-resource",
        "x-kubernetes-int-or-string",
    ),
    "NFSVolumeSource": ("readOnly",),
    "NodeSpec": ("unschedulable",),
    "PersistentVolumeClaimVolumeSource": ("readOnly",),
    "PodSpec": ("hostIPC", "hostNetwork", "hostPID"),
    "PriorityClass": ("globalDefault",),
    "RBDVolumeSource": ("readOnly",),
    "ServiceSpec": ("publishNotReadyAddresses",),
    "SubjectAccessReviewStatus": ("denied",),
    "TokenReviewStatus": ("authenticated",),
    "VolumeMount": ("readOnly",),
    "VolumeMountStatus": ("readOnly",),
}

VALUE_INTEGERS: Fields = {
    "AWSElasticBlockStoreVolumeSource": ("partition",),
    "ContainerPort": ("hostPort",),
    "ContainerStateTerminated": ("signal",),
    "DaemonSetSpec": ("minReadySeconds",),
    "DeploymentSpec": ("minReadySeconds",),
    "Event": ("count", "deprecatedCount"),
    "EventSeries": ("count",),
    "GCEPersistentDiskVolumeSource": ("partition",),
    "ObjectMeta": ("generation",),
    "Probe": (
        "failureThreshold",
        "initialDelaySeconds",
        "periodSeconds",
        "successThreshold",
        "timeoutSeconds",
    ),
    "ReplicaSetSpec": ("minReadySeconds",),
    "ReplicationControllerSpec": ("minReadySeconds",),
    "ServiceBackendPort": ("number",),
    "ServicePort": ("nodePort",),
    "ServiceSpec": ("healthCheckNodePort",),
    "StatefulSetSpec": ("minReadySeconds",),
}

POINTER_INTEGERS_OF_STATUS: Fields = {
    "DaemonSetStatus": ("collisionCount",),
    "DeploymentStatus": ("collisionCount", "terminatingReplicas"),
    "HorizontalPodAutoscalerStatus": ("currentCPUUtilizationPercentage", "observedGeneration"),
    "JobStatus": ("ready", "terminating"),
    "MetricValueStatus": ("averageUtilization",),
    "PodDisruptionBudgetStatus": (
        "currentHealthy",
        "desiredHealthy",
        "disruptionsAllowed",
        "expectedPods",
    ),  # no pointers, but written always
    "ReplicaSetStatus": ("terminatingReplicas",),
    "StatefulSetStatus": ("availableReplicas", "collisionCount"),
}
"""And the one integer of a status that Go has no `omitempty` for: a StatefulSet's availableReplicas."""


def omitted(struct: str, field: str, json_type: str) -> tuple[Any, ...]:
    """The values of an optional field that are left out; `json_type` is the definition's type."""
    match json_type:
        case "array":
            return ([],)
        case "map":
            return ({},)
        case "string":
            return () if field in POINTER_STRINGS.get(struct, ()) else ("",)
        case "boolean":
            return (False,) if field in VALUE_BOOLEANS.get(struct, ()) else ()
        case "integer":
            return (0,) if _plain_integer(struct, field) else ()
        case _:
            return ()


def _plain_integer(struct: str, field: str) -> bool:
    if struct.endswith(("Status", "Condition")):
        return field not in POINTER_INTEGERS_OF_STATUS.get(struct, ())
    return field in VALUE_INTEGERS.get(struct, ())
