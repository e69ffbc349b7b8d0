"""The plug-ins that every server runs, in upstream's order.

Those of a later issue have their places: PodSecurity after TaintNodesByCondition, policies and webhooks after
DefaultIngressClass. ResourceQuota stays at the very end: what it charges nobody should refuse any more.
RoleEscalation stays behind whatever changes objects: in upstream it is the store of the roles that checks.
"""

from server.admission.certificates import (
    CertificateApproval,
    CertificateSigning,
    CertificateSubjectRestriction,
    ClusterTrustBundleAttest,
)
from server.admission.chain import Chain
from server.admission.claim_resize import PersistentVolumeClaimResize
from server.admission.default_classes import DefaultIngressClass, DefaultStorageClass
from server.admission.default_tolerations import DefaultTolerationSeconds
from server.admission.limit_ranger import LimitRanger
from server.admission.namespace_lifecycle import NamespaceLifecycle
from server.admission.node_restriction import NodeRestriction
from server.admission.priority import Priority
from server.admission.resource_quota import ResourceQuota
from server.admission.role_escalation import RoleEscalation
from server.admission.runtime_class import RuntimeClass
from server.admission.service_account import ServiceAccount
from server.admission.storage_protection import StorageObjectInUseProtection
from server.admission.taint_nodes import TaintNodesByCondition
from server.auth.authorization import Authorization
from server.storage.store import Store


def standard(store: Store, authorization: Authorization) -> Chain:
    return Chain(
        [
            NamespaceLifecycle(store),
            LimitRanger(store),
            ServiceAccount(store),
            NodeRestriction(store, authorization),
            TaintNodesByCondition(),
            Priority(store),
            DefaultTolerationSeconds(),
            DefaultStorageClass(store),
            StorageObjectInUseProtection(),
            PersistentVolumeClaimResize(store),
            RuntimeClass(store),
            CertificateApproval(authorization),
            CertificateSigning(authorization),
            ClusterTrustBundleAttest(authorization),
            CertificateSubjectRestriction(),
            DefaultIngressClass(store),
            RoleEscalation(authorization),
            ResourceQuota(store),
        ]
    )
