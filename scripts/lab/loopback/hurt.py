"""What a test does to a lab that is up, and how it makes it whole again."""

import signal

from . import bmc, box, labgrid, slurm, ssh
from .core import Trouble


def restart_coordinator(lab):
    """labgrid's coordinator forgets all locks; the exporter ends when it loses it, as its service would be restarted."""
    for name in ("labgrid-coordinator", "labgrid-exporter"):
        if lab.pid(name):
            lab.kill(name)
    labgrid.start_coordinator(lab)
    labgrid.start_exporter(lab)


def start_node(lab, node):
    slurm.start_node(lab, node)
    slurm.wait_until_idle(lab, [node])


def start_sshd(lab):
    ssh.start_server(lab, int(lab.env["SSHD_PORT"]))


# name: (what it does, for a person; whether it takes a node; the action)
ACTIONS = {
    "kill-slurmd": ("kill -9 a node's slurmd; its jobs run on", True, lambda lab, node: lab.kill(f"slurmd-{slurm_node(node)}")),
    "start-slurmd": ("start it again and wait until the node is idle", True, start_node),
    "kill-slurmctld": ("kill -9 the controller", False, lambda lab: lab.kill("slurmctld")),
    "start-slurmctld": ("start it again with the state that it had saved", False, slurm.start_controller),
    "kill-bmc": ("kill -9 the BMC; the box goes off with it", False, lambda lab: lab.kill("bmc")),
    "start-bmc": ("start it again; the box is off", False, bmc.start_server),
    "freeze-bmc": ("the BMC answers no more; the box runs on", False, lambda lab: lab.signal("bmc", signal.SIGSTOP)),
    "thaw-bmc": ("it answers again", False, lambda lab: lab.signal("bmc", signal.SIGCONT)),
    "hang-box": ("the box's CPUs stand still, until thaw-box or a power cycle", False, lambda lab: box.qmp(lab, "stop")),
    "thaw-box": ("they go on", False, lambda lab: box.qmp(lab, "cont")),
    "reset-box": ("the reset button, past the BMC", False, lambda lab: box.qmp(lab, "system_reset")),
    "kill-console": ("kill -9 the console server", False, lambda lab: lab.kill("console")),
    "start-console": ("start it again; the box connects within a second", False, box.start_console),
    "kill-coordinator": ("kill -9 labgrid's coordinator", False, lambda lab: lab.kill("labgrid-coordinator")),
    "restart-coordinator": ("a new coordinator, which knows no locks, and a new exporter", False, restart_coordinator),
    "kill-redfish": ("kill -9 the Redfish server", False, lambda lab: lab.kill("redfish")),
    "kill-sshd": ("kill -9 sshd; open connections live on", False, lambda lab: lab.kill("sshd")),
    "start-sshd": ("start it again", False, start_sshd),
}


def slurm_node(node):
    if node not in slurm.NODES:
        raise Trouble(f"no node {node!r}; there are {', '.join(slurm.NODES)}")
    return node


def usage():
    return "\n".join(f"  {name + (' NODE' if takes_node else ''):22} {what}" for name, (what, takes_node, _) in ACTIONS.items())
