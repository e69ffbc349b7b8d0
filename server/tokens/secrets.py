"""Tokens that are kept in Secrets of type service-account-token: they do not expire."""

from collections.abc import Callable

from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.tokens.claims import Reference
from server.tokens.issuer import Issuer


def secret_signer(issuer: Issuer) -> Callable[[Object, str], str]:
    """From a ServiceAccount and the name of a Secret, the token to be kept in it."""

    def sign(account: Object, secret: str) -> str:
        reference = Reference(meta.name(account), meta.uid(account))
        return issuer.legacy(namespace=meta.namespace(account), account=reference, secret=secret)

    return sign
