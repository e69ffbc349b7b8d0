"""The pages by which others learn to verify service account tokens: OpenID Connect's discovery documents."""

from server.api.reply import Public, Reply
from server.tokens import discovery
from server.tokens.issuer import Issuer


class IssuerPages:
    """`address` is the host and port at which clients outside reach the server."""

    paths = (discovery.CONFIGURATION, discovery.KEYS)

    def __init__(self, issuer: Issuer, *, address: str) -> None:
        self._issuer = issuer
        self._address = address

    def answer(self, path: str) -> Reply | None:
        """The document at a path; None where there is none."""
        if path == discovery.CONFIGURATION:
            return Public(discovery.configuration(self._issuer, address=self._address))
        if path == discovery.KEYS:
            return Public(discovery.key_set(self._issuer), content_type="application/jwk-set+json")
        return None
