"""The reviews of authentication.k8s.io: who am I, and whose token is this."""

from kubeling.objects.errors import BadRequest
from kubeling.objects.meta import Object
from server.auth.authentication import Authenticator, InvalidToken
from server.registry.context import RequestContext, UserInfo


async def who_am_i(context: RequestContext, review: Object) -> Object:
    """SelfSubjectReview."""
    return review | {"status": {"userInfo": _user_document(context.user)}}


class TokenReviews:
    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    async def __call__(self, context: RequestContext, review: Object) -> Object:
        """TokenReview: the user, and the audiences that both the question and the token name.

        Raises:
            BadRequest: there is no token to review.
        """
        spec = review.get("spec") or {}
        if not spec.get("token"):
            raise BadRequest("token is required for TokenReview in authentication")
        try:
            found = self._authenticator.bearer(spec["token"], tuple(spec.get("audiences") or ()))
        except InvalidToken as error:
            return review | {"status": {"user": {}, "error": error.why}}
        status: Object = {"authenticated": True, "user": _user_document(found.user)}
        status["audiences"] = list(found.audiences)
        return review | {"status": status}


def _user_document(user: UserInfo) -> Object:
    document: Object = {"username": user.name}
    if user.uid:
        document["uid"] = user.uid
    document["groups"] = list(user.groups)
    if user.extra:
        document["extra"] = {key: list(values) for key, values in user.extra.items()}
    return document
