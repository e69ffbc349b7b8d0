"""Makes the profiles that a configuration describes."""

from collections.abc import Mapping

from server.scheduler.configuration import PLUGINS, Configuration, ProfileConfiguration
from server.scheduler.framework import Plugin
from server.scheduler.handles import Handles
from server.scheduler.profile import Profile


def made_profiles(configuration: Configuration, handles: Handles) -> Mapping[str, Profile]:
    """By the scheduler's name."""
    ignored = [
        name for each in configuration.extenders for name, ignored in each.resources.items() if ignored
    ]
    return {
        each.name: _made(each, configuration.percentage, handles, ignored) for each in configuration.profiles
    }


def _made(
    configuration: ProfileConfiguration, percentage: int | None, handles: Handles, ignored: list[str]
) -> Profile:
    made: dict[str, Plugin] = {}

    def plugin(name: str) -> Plugin:
        if name not in made:
            args = dict(configuration.args.get(name, {}))
            if name == "NodeResourcesFit" and ignored:
                args["ignoredResources"] = [*(args.get("ignoredResources") or ()), *ignored]
            made[name] = PLUGINS[name](args, handles)
        return made[name]

    return Profile(configuration, plugin, percentage=configuration.percentage or percentage)
