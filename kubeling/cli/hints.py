"""What to type next, spelled so that it works when pasted into this shell."""

import os
import shlex
import shutil
import sys
from pathlib import Path

from kubeling.cli import console
from kubeling.cluster.kubeconfig import default_path
from kubeling.cluster.settings import Settings


def next_commands(settings: Settings) -> None:
    console.say("\nNext:")
    if settings.user_kubeconfig and Path(settings.user_kubeconfig) != default_path():
        console.say(f"  export KUBECONFIG={shlex.quote(settings.user_kubeconfig)}")
    if not settings.node and not settings.virtual_nodes:
        console.say("  kubectl get namespaces    (there is no node, so pods stay Pending)")
        return
    console.say("  kubectl get nodes -o wide")
    console.say("  kubectl run hello --image=busybox -- sh -c 'echo hello; sleep 3600'")
    if settings.node and not settings.cri_endpoint:
        console.say(f"  {program()} image load FILE.tar    (for images that no registry has)")


def program() -> str:
    """How this shell can call the command that is running."""
    own = os.path.abspath(sys.argv[0])
    if os.path.basename(own) != "kubeling":
        return f"{shlex.quote(sys.executable)} -m kubeling"
    found = shutil.which("kubeling")
    return "kubeling" if found and os.path.samefile(found, own) else shlex.quote(own)
