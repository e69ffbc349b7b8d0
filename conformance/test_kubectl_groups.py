"""The groups beside core, apps and batch: what is served, what a fresh cluster has, what kubectl shows."""

import pytest

from conformance.kubectl import Kubectl
from conformance.rest import Rest
from conformance.space import Space
from conformance.waiting import eventually

RESOURCES = {
    "mutatingadmissionpolicies": ("admissionregistration.k8s.io/v1", "false", "MutatingAdmissionPolicy"),
    "mutatingwebhookconfigurations": (
        "admissionregistration.k8s.io/v1",
        "false",
        "MutatingWebhookConfiguration",
    ),
    "validatingadmissionpolicybindings": (
        "admissionregistration.k8s.io/v1",
        "false",
        "ValidatingAdmissionPolicyBinding",
    ),
    "apiservices": ("apiregistration.k8s.io/v1", "false", "APIService"),
    "clustertrustbundles": ("certificates.k8s.io/v1", "false", "ClusterTrustBundle"),
    "podcertificaterequests": ("certificates.k8s.io/v1", "true", "PodCertificateRequest"),
    "leases": ("coordination.k8s.io/v1", "true", "Lease"),
    "endpointslices": ("discovery.k8s.io/v1", "true", "EndpointSlice"),
    "flowschemas": ("flowcontrol.apiserver.k8s.io/v1", "false", "FlowSchema"),
    "prioritylevelconfigurations": (
        "flowcontrol.apiserver.k8s.io/v1",
        "false",
        "PriorityLevelConfiguration",
    ),
    "ingressclasses": ("networking.k8s.io/v1", "false", "IngressClass"),
    "ingresses": ("ing", "networking.k8s.io/v1", "true", "Ingress"),
    "ipaddresses": ("ip", "networking.k8s.io/v1", "false", "IPAddress"),
    "networkpolicies": ("netpol", "networking.k8s.io/v1", "true", "NetworkPolicy"),
    "servicecidrs": ("networking.k8s.io/v1", "false", "ServiceCIDR"),
    "runtimeclasses": ("node.k8s.io/v1", "false", "RuntimeClass"),
    "deviceclasses": ("resource.k8s.io/v1", "false", "DeviceClass"),
    "resourceclaims": ("resource.k8s.io/v1", "true", "ResourceClaim"),
    "resourceslices": ("resource.k8s.io/v1", "false", "ResourceSlice"),
    "priorityclasses": ("pc", "scheduling.k8s.io/v1", "false", "PriorityClass"),
    "csidrivers": ("storage.k8s.io/v1", "false", "CSIDriver"),
    "storageclasses": ("sc", "storage.k8s.io/v1", "false", "StorageClass"),
    "volumeattachments": ("storage.k8s.io/v1", "false", "VolumeAttachment"),
    "volumeattributesclasses": ("vac", "storage.k8s.io/v1", "false", "VolumeAttributesClass"),
}


def test_the_resources_of_every_group(each_kubectl: Kubectl) -> None:
    rows = {line.split()[0]: tuple(line.split()[1:]) for line in each_kubectl("api-resources").lines}
    assert {name: rows.get(name) for name in RESOURCES} == RESOURCES


@pytest.mark.parametrize(
    "path",
    [
        "/apis/admissionregistration.k8s.io/v1beta1",
        "/apis/coordination.k8s.io/v1beta1",
        "/apis/internal.apiserver.k8s.io/v1alpha1",
        "/apis/resource.k8s.io/v1beta2/deviceclasses",
        "/apis/scheduling.k8s.io/v1beta1/workloads",
    ],
)
def test_alpha_and_beta_versions_are_not_served(rest: Rest, path: str) -> None:
    assert rest.request("GET", path).code == 404


def test_what_a_fresh_cluster_has(kubectl: Kubectl) -> None:
    services = [line.split()[:3] for line in kubectl("get", "apiservices", "--no-headers").lines]
    assert ["v1.", "Local", "True"] in services
    assert ["v2.autoscaling", "Local", "True"] in services
    classes = kubectl("get", "priorityclasses", "-o", "name").lines
    assert "priorityclass.scheduling.k8s.io/system-node-critical" in classes
    assert kubectl.json("get", "servicecidr", "kubernetes")["status"]["conditions"][0]["status"] == "True"
    assert kubectl("get", "leases", "-n", "kube-system", "-l", "apiserver.kubernetes.io/identity").lines


def test_flow_schemas_find_their_levels(kubectl: Kubectl) -> None:
    def all_found() -> bool:
        rows = kubectl("get", "flowschemas", "--no-headers").lines
        return len(rows) >= 13 and all(line.split()[-1] == "False" for line in rows)

    eventually(all_found, what="every flow schema to find its level")


def test_an_ingress_from_the_command_line(each_kubectl: Kubectl) -> None:
    each_kubectl("create", "ingress", "i", "--class=nginx", "--rule=foo.com/bar=svc:8080,tls=cert")
    row = each_kubectl("get", "ingress", "i", "--no-headers").text.split()
    assert row[:5] == ["i", "nginx", "foo.com", "80,", "443"]


def test_a_wrong_ingress_is_told_as_by_kubernetes(kubectl: Kubectl, space: Space) -> None:
    made = f"""{{"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":{{"name":"w",
    "namespace":"{space.name}"}},"spec":{{"rules":[{{"host":"1.2.3.4"}}]}}}}"""
    result = kubectl.attempt("create", "-f", "-", stdin=made)
    why = 'spec.rules[0].host: Invalid value: "1.2.3.4": must be a DNS name, not an IP address'
    assert f'The Ingress "w" is invalid: {why}' in result.errors


def test_the_address_of_a_service_is_an_object(kubectl: Kubectl, space: Space) -> None:
    kubectl("create", "service", "clusterip", "s", "--tcp=80")
    address = kubectl.json("get", "service", "s")["spec"]["clusterIP"]
    row = kubectl("get", "ipaddress", address, "--no-headers").text.split()
    assert row[:2] == [address, f"services/{space.name}/s"]
    kubectl("delete", "service", "s")
    assert kubectl.attempt("get", "ipaddress", address).code == 1


def test_a_protected_claim_goes_when_nobody_uses_it(kubectl: Kubectl) -> None:
    kubectl.apply(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "c"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        }
    )
    own = kubectl.json("get", "pvc", "c")["metadata"]
    assert own["finalizers"] == ["kubernetes.io/pvc-protection"]
    kubectl("delete", "pvc", "c", "--timeout=20s")
