"""Time zones of CronJobs: names of the IANA database."""

import re
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kubeling.objects.errors import Cause
from server.registry.causes import invalid

_PART = re.compile(r"[A-Za-z._0-9+][A-Za-z.\-_0-9+]{0,13}")


def zone_causes(field: str, zone: str | None) -> list[Cause]:
    if zone is None:
        return []
    if not zone:
        return [invalid(field, zone, "timeZone must be nil or non-empty string")]
    unknown = f"unknown time zone {zone}"
    if any(part in (".", "..") or not _PART.fullmatch(part) for part in zone.split("/")):
        return [invalid(field, zone, unknown)]
    causes: list[Cause] = []
    if zone.lower() == "local":
        why = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        causes.append(invalid(field, zone, why))
    elif not _is_known(zone):
        causes.append(invalid(field, zone, unknown))
    return causes


def _is_known(zone: str) -> bool:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
