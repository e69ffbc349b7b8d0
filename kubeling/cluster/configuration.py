"""Writes config/server.json, node.json and virtual.json, which the cluster's processes read.

Not here: what they make of them (`server.config`, `runtime`, `runtime.virtual`).
"""

import ipaddress
from typing import Any

from kubeling.cluster import files
from kubeling.cluster.home import Home
from kubeling.cluster.keys import Pair, Pki
from kubeling.cluster.settings import Settings

CNI_DIRECTORIES = ("/usr/lib/cni", "/opt/cni/bin")


def write(home: Home, settings: Settings, *, address: str) -> None:
    files.private_directory(home.server_config.parent)
    files.write_json(home.server_config, server_document(home, settings, address=address))
    files.write_json(home.node_config, node_document(home, settings, address=address))
    if settings.virtual_nodes:
        files.write_json(home.virtual_config, virtual_document(home, settings, address=address))


def server_document(home: Home, settings: Settings, *, address: str) -> dict[str, Any]:
    pki = Pki(home.pki)
    scheduler = home.scheduler_config
    return {
        "home": str(home.root),
        "listen": "0.0.0.0",
        "port": settings.port,
        "advertiseAddress": address,
        "datastore": settings.datastore,
        "servingCertificate": _pair(pki.server),
        "clientCA": str(pki.authority.certificate),
        "clientCAKey": str(pki.authority.key),
        "tokenFile": str(pki.token_file),
        "serviceAccountKey": str(pki.service_account_key),
        "kubeletClient": _pair(pki.kubelet_client),
        "requestHeaderCA": str(pki.front_proxy_authority.certificate),
        "proxyClient": _pair(pki.front_proxy),
        "podCIDR": settings.pod_cidr,
        "serviceCIDR": settings.service_cidr,
        "schedulerConfig": str(scheduler) if scheduler.is_file() else None,
    }


def node_document(home: Home, settings: Settings, *, address: str) -> dict[str, Any]:
    pki = Pki(home.pki)
    kubelet = home.kubelet_config
    return {
        "nodeName": settings.node_name,
        "nodeIP": address,
        "kubeconfig": str(home.node_kubeconfig),
        "root": str(home.root / "node"),
        "state": str(home.state),
        "criEndpoint": settings.cri_endpoint or None,
        "serving": _pair(pki.node_serving),
        "clientCA": str(pki.authority.certificate),
        "listen": "0.0.0.0",
        "port": settings.kubelet_port,
        "cniBin": list(CNI_DIRECTORIES),
        "podCIDR": settings.pod_cidr,
        "kubeletConfig": str(kubelet) if kubelet.is_file() else None,
    }


def virtual_document(home: Home, settings: Settings, *, address: str) -> dict[str, Any]:
    pki = Pki(home.pki)
    return {
        "nodes": settings.virtual_nodes,
        "cpu": settings.virtual_cpu,
        "memory": settings.virtual_memory,
        "latency": float(settings.virtual_latency),
        "address": address,
        "kubeconfig": str(home.virtual_kubeconfig),
        "serving": _pair(pki.virtual_serving),
        "clientCA": str(pki.authority.certificate),
        "listen": "0.0.0.0",
        "port": settings.virtual_port,
    }


def first_service_address(service_cidr: str) -> str:
    """The address of the `kubernetes` Service."""
    return str(ipaddress.ip_network(service_cidr)[1])


def _pair(pair: Pair) -> dict[str, str]:
    return {"certificate": str(pair.certificate), "key": str(pair.key)}
