"""Schedules of CronJobs, as validation sees them."""

from kubeling.objects.cron import CronError, parse_schedule


def schedule_error(schedule: str) -> str:
    """What is wrong with the five fields or the descriptor, "" when nothing is."""
    if schedule.startswith(("TZ=", "CRON_TZ=")):
        schedule = schedule.partition(" ")[2].strip()
    try:
        parse_schedule(schedule)
    except CronError as error:
        return str(error)
    return ""
