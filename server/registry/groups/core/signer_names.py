"""The form of signers' names: `example.com/signer`, or `example.com/namespace.name` for a namespace's own."""

from kubeling.objects.errors import Cause
from kubeling.objects.names import subdomain_errors
from server.registry.causes import invalid, invalids, required, too_long

_LONGEST_DOMAIN = _LONGEST_PATH = 253
_LONGEST = _LONGEST_DOMAIN + 1 + 63 + 1 + _LONGEST_PATH


def signer_name_causes(field: str, name: str) -> list[Cause]:
    if not name:
        return [required(field)]
    domain, slash, path = name.partition("/")
    if not slash or "/" in path or not domain or not path:
        why = 'must be a fully qualified domain and path of the form "example.com/signer-name"'
        return [invalid(field, name, why)]
    causes = invalids(field, domain, subdomain_errors(domain))
    if "." not in domain:
        why = "should be a domain with at least two segments separated by dots"
        causes.append(invalid(field, domain, why))
    causes += [cause for part in path.split(".") for cause in invalids(field, path, subdomain_errors(part))][
        :1
    ]
    return [*causes, too_long(field, _LONGEST)] if len(name) > _LONGEST else causes
