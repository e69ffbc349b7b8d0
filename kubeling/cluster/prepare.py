"""Makes a home directory ready for the processes: settings, certificates, configuration, kubeconfigs.

Everything is idempotent: a start that was cut short is made good by the next one.
"""

from datetime import UTC, datetime

from kubeling.cluster import configuration, files, kubeconfig, machine, pki, podcidr, settings
from kubeling.cluster.decide import Wishes, decide
from kubeling.cluster.home import Home
from kubeling.cluster.keys import Pki
from kubeling.cluster.settings import Settings


def prepare(home: Home, wishes: Wishes) -> Settings:
    """Raises HomeError, PortBusy, UsageError. The caller holds the home's lock."""
    decided = decide(home, wishes)
    settings.save(home, decided)
    for directory in (home.root, home.logs, home.run, home.database.parent, home.node_config.parent):
        files.private_directory(directory)
    podcidr.claim(home, decided.pod_cidr)
    address = machine.main_address()
    pki.ensure(Pki(home.pki), _subjects(decided, address), now=datetime.now(UTC))
    configuration.write(home, decided, address=address)
    kubeconfig.write(home, decided)
    return decided


def _subjects(decided: Settings, address: str) -> pki.Subjects:
    return pki.Subjects(
        node_name=decided.node_name,
        host_name=machine.host_name(),
        addresses=tuple(dict.fromkeys((address, *machine.addresses()))),
        service_address=configuration.first_service_address(decided.service_cidr),
        virtual=decided.virtual_nodes > 0,
    )
