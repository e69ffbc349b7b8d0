"""Who sends a request: a client certificate, else a bearer token, else nobody in particular."""

from collections.abc import Sequence

from kubeling.objects.errors import Unauthorized
from server.auth.identities import Identity, anonymous
from server.auth.service_accounts import ServiceAccountTokens
from server.auth.tokens import Tokens
from server.registry.context import UserInfo
from server.tokens.issuer import ISSUER, TokenError

INVALID = "invalid bearer token"


class InvalidToken(Unauthorized):
    """A bearer token that nobody owns, or nobody any more; `why` is what a TokenReview says."""

    def __init__(self, why: str) -> None:
        super().__init__("Unauthorized")
        self.why = why


_ANONYMOUS = Identity(anonymous)


class Authenticator:
    def __init__(
        self,
        tokens: Tokens,
        accounts: ServiceAccountTokens | None = None,
        *,
        audiences: Sequence[str] = (ISSUER,),
    ) -> None:
        """`audiences` are the API server's own."""
        self._tokens = tokens
        self._accounts = accounts
        self._audiences = tuple(audiences)

    def identity(self, *, certificate: Identity | None, authorization: str) -> Identity:
        """Who is behind a request, from what the certificate proved and the Authorization header.

        Raises:
            Unauthorized: the certificate is out of date, or a bearer token was sent that nobody owns.
        """
        if certificate is not None:
            if certificate.holds is not None and not certificate.holds():
                raise Unauthorized("Unauthorized")
            return certificate
        scheme, _, token = authorization.strip().partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            return _ANONYMOUS
        return self.bearer(token.strip())

    def user(self, *, certificate: Identity | None, authorization: str) -> UserInfo:
        """The same, when only the user matters."""
        return self.identity(certificate=certificate, authorization=authorization).user

    def bearer(self, token: str, audiences: Sequence[str] = ()) -> Identity:
        """Who owns a token that is meant for one of the audiences (the API server's own unless given).

        Raises:
            InvalidToken: nobody does.
        """
        user = self._tokens.user_of(token)
        if user is not None:
            asked = tuple(audiences) or self._audiences
            meant = tuple(each for each in self._audiences if each in asked)
            if not meant:
                raise InvalidToken(INVALID)
            return Identity(user, meant)
        return self._of_account(token, audiences)

    def _of_account(self, token: str, audiences: Sequence[str]) -> Identity:
        try:
            found = self._accounts.authenticate(token, audiences) if self._accounts else None
        except TokenError as error:
            raise InvalidToken(f"[{INVALID}, {error}]") from error
        if found is None:
            raise InvalidToken(INVALID)
        session, meant = found
        return Identity(session.user, meant, session.holds)
