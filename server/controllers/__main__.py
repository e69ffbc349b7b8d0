"""`python -m server.controllers`: the controllers as a process, with kube-controller-manager's flags."""

import argparse
import ipaddress
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from kubeling.client import Client, HttpClient
from kubeling.client.kubeconfig import read_connection
from kubeling.objects.clock import SystemClock
from server.controllers import API_SERVER, Settings, start_controllers
from server.controllers.context import POD_NETWORK, SignToken
from server.controllers.credentials import Credentials
from server.controllers.start import CONTROLLERS, MANAGER
from server.standalone import Fence, arguments, main


def _parser() -> argparse.ArgumentParser:
    parser = arguments("server.controllers", "The controllers of a cluster, over HTTP.")
    parser.add_argument("--use-service-account-credentials", action="store_true", help="each as its account")
    parser.add_argument("--root-ca-file", type=Path, help="published in every namespace, and signs")
    parser.add_argument("--cluster-signing-key-file", type=Path, help="the root CA's key: sign certificates")
    parser.add_argument("--service-account-private-key-file", type=Path, help="sign tokens kept in Secrets")
    parser.add_argument("--cluster-cidr", type=ipaddress.ip_network, default=POD_NETWORK, help="of the pods")
    return parser


def _settings(options: argparse.Namespace) -> Settings:
    """Without a root CA of its own, the one that the kubeconfig trusts is published."""
    root = options.root_ca_file
    trusted = root.read_bytes() if root else read_connection(options.kubeconfig).authority or b""
    key = options.service_account_private_key_file
    return Settings(
        certificate_authority=trusted.decode(),
        certificate_authority_key=options.cluster_signing_key_file,
        pod_network=options.cluster_cidr,
        sign_token=_signer(key) if key else None,
    )


def _signer(file: Path) -> SignToken:
    from server.tokens.issuer import Issuer
    from server.tokens.keys import SigningKey
    from server.tokens.secrets import secret_signer

    return secret_signer(Issuer(lambda: SigningKey.read(file)))


def _is_ours(account: str) -> bool:
    return account != API_SERVER


def run(words: list[str] | None = None) -> int:
    options = _parser().parse_args(words)
    clock = SystemClock()

    async def begin(parts: AsyncExitStack, client: HttpClient, fence: Fence) -> None:
        credentials = Credentials(client, read_connection(options.kubeconfig), clock)
        if options.use_service_account_credentials:
            await credentials.begin((name for name, _ in CONTROLLERS if name and _is_ours(name)), parts)

        def act_as(account: str) -> Client:
            own = options.use_service_account_credentials and account != MANAGER
            return fence(credentials.client(account) if own else client)

        controllers = start_controllers(
            fence(client), clock=clock, settings=_settings(options), act_as=act_as, only=_is_ours
        )
        parts.push_async_callback(controllers.stop)

    return main("kube-controller-manager", options, begin)


if __name__ == "__main__":
    sys.exit(run())
