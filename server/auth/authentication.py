"""Who sends a request: a client certificate, else a bearer token, else nobody in particular."""

from kubeling.objects.errors import Unauthorized
from server.auth.identities import anonymous
from server.auth.tokens import Tokens
from server.registry.context import UserInfo


class Authenticator:
    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def user(self, *, certificate: UserInfo | None, authorization: str) -> UserInfo:
        """The user behind a request, from what the certificate proved and the Authorization header.

        Raises:
            Unauthorized: a bearer token was sent that nobody owns.
        """
        if certificate is not None:
            return certificate
        scheme, _, token = authorization.strip().partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            return anonymous
        return self.bearer(token.strip())

    def bearer(self, token: str) -> UserInfo:
        """The user who owns a token.

        Raises:
            Unauthorized: nobody does.
        """
        user = self._tokens.user_of(token)
        if user is None:
            raise Unauthorized("Unauthorized")
        return user
