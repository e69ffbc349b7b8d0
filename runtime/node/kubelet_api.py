"""Puts the node's HTTPS API together: who is let in, what is answered."""

from kubeling.client.http import HttpClient
from kubeling.objects.clock import Clock
from runtime.config import Config
from runtime.cri.client import CriRuntime
from runtime.images.load import ImageLoader
from runtime.node.api.agent_pods import AgentPods
from runtime.node.api.authentication import Authentication
from runtime.node.api.authorization import Authorization
from runtime.node.api.gate import Delegated
from runtime.node.api.listener import KubeletApi, ListenSettings
from runtime.node.api.node_pages import NodePages
from runtime.node.machine import Machine
from runtime.pods.agent import PodAgent
from runtime.pods.tally import Tally
from runtime.stats.statistics import Statistics


def kubelet_api(
    config: Config,
    *,
    machine: Machine,
    runtime: CriRuntime,
    client: HttpClient,
    agent: PodAgent,
    tally: Tally,
    statistics: Statistics,
    loader: ImageLoader | None,
    clock: Clock,
) -> KubeletApi:
    settings = ListenSettings(
        host=config.listen,
        port=config.port,
        certificate=config.serving.certificate,
        key=config.serving.key,
        client_ca=config.client_ca,
        scratch=config.scratch,
    )
    pages = NodePages(
        node_name=config.node_name,
        machine=machine,
        configuration=config.kubelet,
        statistics=statistics,
        agent=agent,
        tally=tally,
        operations=runtime.operations,
        client=client,
        clock=clock,
        flags=_flags(config, runtime),
    )
    gate = Delegated(Authentication(client, clock), Authorization(client, clock, node=config.node_name))
    return KubeletApi(
        settings, runtime, AgentPods(agent), loader=loader, clock=clock, gate=gate, pages=pages.routes()
    )


def _flags(config: Config, runtime: CriRuntime) -> dict[str, str]:
    return {
        "address": config.listen,
        "anonymous-auth": "false",
        "authentication-token-webhook": "true",
        "authorization-mode": "Webhook",
        "client-ca-file": str(config.client_ca),
        "container-runtime-endpoint": runtime.endpoint,
        "hostname-override": config.node_name,
        "kubeconfig": str(config.kubeconfig),
        "node-ip": config.node_ip,
        "port": str(config.port),
        "root-dir": str(config.root),
        "tls-cert-file": str(config.serving.certificate),
        "tls-private-key-file": str(config.serving.key),
    }
