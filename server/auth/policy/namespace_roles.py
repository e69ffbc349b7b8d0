"""The Roles and RoleBindings in kube-system and kube-public, by namespace and name."""

from server.auth.policy.rule_text import EVENTS, READ

_SIGNER = "system:controller:bootstrap-signer"
_CLOUD = "system:controller:cloud-provider"
_CLEANER = "system:controller:token-cleaner"
_MANAGER_LOCK = "system::leader-locking-kube-controller-manager"
_SCHEDULER_LOCK = "system::leader-locking-kube-scheduler"
_READER = "extension-apiserver-authentication-reader"

ROLES: dict[tuple[str, str], tuple[str, ...]] = {
    ("kube-system", _READER): (f"{READ} : core : configmaps : extension-apiserver-authentication",),
    ("kube-system", _SIGNER): (f"{READ} : core : secrets",),
    ("kube-system", _CLOUD): (f"{READ} create : core : configmaps",),
    ("kube-system", _CLEANER): (f"{READ} delete : core : secrets", EVENTS),
    ("kube-system", _MANAGER_LOCK): (
        "watch : core : configmaps",
        "get update : core : configmaps : kube-controller-manager",
    ),
    ("kube-system", _SCHEDULER_LOCK): (
        "watch : core : configmaps",
        "get update : core : configmaps : kube-scheduler",
    ),
    ("kube-public", _SIGNER): (
        f"{READ} : core : configmaps",
        "update : core : configmaps : cluster-info",
        EVENTS,
    ),
}

BINDINGS: dict[tuple[str, str], tuple[str, ...]] = {
    ("kube-system", f"system::{_READER}"): (
        "User system:kube-controller-manager",
        "User system:kube-scheduler",
    ),
    ("kube-system", _MANAGER_LOCK): (
        "User system:kube-controller-manager",
        "ServiceAccount kube-system/kube-controller-manager",
    ),
    ("kube-system", _SCHEDULER_LOCK): (
        "User system:kube-scheduler",
        "ServiceAccount kube-system/kube-scheduler",
    ),
    ("kube-system", _SIGNER): ("ServiceAccount kube-system/bootstrap-signer",),
    ("kube-system", _CLOUD): ("ServiceAccount kube-system/cloud-provider",),
    ("kube-system", _CLEANER): ("ServiceAccount kube-system/token-cleaner",),
    ("kube-public", _SIGNER): ("ServiceAccount kube-system/bootstrap-signer",),
}
"""Each is bound to the Role of its name, but for the first."""

ROLE_OF = {f"system::{_READER}": _READER}
"""The role of a binding whose name is another."""
