"""What a fresh cluster has beside its namespaces and its own Service, by upstream's names and contents:
priority classes, flow schemas and priority levels, the default ServiceCIDR, APIServices of what is built in.

`ensure` makes what is missing; what users changed is left alone.
"""

from server.initial.ensure import ensure

__all__ = ["ensure"]
