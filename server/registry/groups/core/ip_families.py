"""A Service's IP families and how many of them it wants."""

from ipaddress import ip_address

from kubeling.objects.meta import Object
from server.registry.settings import Settings

_FAMILIES = ("IPv4", "IPv6")


def family_of(address: str) -> str:
    return f"IPv{ip_address(address).version}"


def default_families(settings: Settings, spec: Object) -> None:
    """Fill in ipFamilies and ipFamilyPolicy: as the given addresses are, else the cluster's first family."""
    if spec["type"] == "ExternalName":
        return
    headless = spec.get("clusterIP") == "None"
    selectorless = headless and not spec.get("selector")
    given = [each for each in spec.get("clusterIPs") or () if each != "None"]
    if "ipFamilyPolicy" not in spec:
        double = len(given) == 2 or len(spec.get("ipFamilies") or ()) == 2 or selectorless
        spec["ipFamilyPolicy"] = "RequireDualStack" if double else "SingleStack"
    families = spec.setdefault("ipFamilies", [])
    if not families:
        families += _of_addresses(given) or [f"IPv{settings.service_networks[0].version}"]
    if selectorless and spec["ipFamilyPolicy"] != "SingleStack" and len(families) < 2:
        families.append(next(each for each in _FAMILIES if each != families[0]))


def _of_addresses(addresses: list[str]) -> list[str]:
    try:
        return [family_of(each) for each in addresses]
    except ValueError:
        return []
