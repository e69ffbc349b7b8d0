"""The issuer's discovery documents (OpenID Connect): who issues, and with which public keys tokens verify."""

import orjson

from server.tokens.issuer import Issuer

CONFIGURATION = "/.well-known/openid-configuration"
KEYS = "/openid/v1/jwks"


def configuration(issuer: Issuer, *, address: str) -> bytes:
    """`address` is the host and port at which clients outside reach the server."""
    return orjson.dumps(
        {
            "issuer": issuer.url,
            "jwks_uri": f"https://{address}{KEYS}",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": sorted({key.algorithm for key in issuer.keys}),
        }
    )


def key_set(issuer: Issuer) -> bytes:
    return orjson.dumps({"keys": [key.jwk() for key in issuer.keys]})
