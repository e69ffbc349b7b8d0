"""The pages by which others learn to verify service account tokens: OpenID Connect's discovery documents."""

from server.api.reply import Public, Reply
from server.tokens import discovery
from server.tokens.issuer import Issuer


class IssuerPages:
    """`address` is the host and port at which clients outside reach the server."""

    def __init__(self, issuer: Issuer, *, address: str) -> None:
        self._pages = {
            discovery.CONFIGURATION: (discovery.configuration(issuer, address=address), "application/json"),
            discovery.KEYS: (discovery.key_set(issuer), "application/jwk-set+json"),
        }

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(self._pages)

    def answer(self, path: str) -> Reply | None:
        """The document at a path; None where there is none."""
        body, content_type = self._pages.get(path, (b"", ""))
        return Public(body, content_type=content_type) if body else None
