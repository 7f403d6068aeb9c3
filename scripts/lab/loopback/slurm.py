"""Slurm: munged, slurmctld, two build nodes and a control node for the box, which is a licence."""

import getpass
import os
import secrets

from .core import Trouble, find_program, run, wait_for

PORTS = 4  # slurmctld, n1, n2, ctl1
NODES = ("n1", "n2", "ctl1")
LICENCE = "dut-box-01"

CONFIGURATION = """\
ClusterName=loopback
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock,cred_expire=10
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={logs}/slurmctld.log
SlurmdLogFile={logs}/slurmd.%n.log
# The nodes are where the controller is, and listen nowhere else.
CommunicationParameters=NoInAddrAny
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
SlurmdTimeout=10
SchedulerParameters=sched_interval=1,batch_sched_delay=0,sched_min_interval=10000
MinJobAge=3600
JobRequeue=1
DefMemPerCPU=100
GresTypes=kvm
Licenses={licence}:1
NodeName=n[1-2] NodeAddr=127.0.0.1 NodeHostname=localhost Port=[{ports[1]}-{ports[2]}] CPUs=2 RealMemory=4000 Feature=hmm,qemu Gres=kvm:2 State=UNKNOWN
NodeName=ctl1 NodeAddr=127.0.0.1 NodeHostname=localhost Port={ports[3]} CPUs=4 RealMemory=2000 Feature=dutctl State=UNKNOWN
PartitionName=build Nodes=n[1-2] Default=YES MaxTime=INFINITE State=UP
PartitionName=lab Nodes=ctl1 MaxTime=INFINITE State=UP
"""


def configuration(lab):
    return lab.folder / "slurm" / "slurm.conf"


def start(lab, ports):
    """Writes the configuration, starts everything and waits until all nodes are idle."""
    folder = lab.folder / "slurm"
    for name in ("state", *(f"spool.{node}" for node in NODES)):
        (folder / name).mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    lab.write("slurm/munge.key", secrets.token_hex(64), 0o400)
    lab.write("slurm/gres.conf", "NodeName=n[1-2] Name=kvm Count=2\n", 0o644)
    lab.write("slurm/slurm.conf", CONFIGURATION.format(folder=folder, logs=lab.logs, ports=ports, user=getpass.getuser(),
                                                       licence=LICENCE), 0o644)
    munged = lab.spawn("munged", [
        find_program("munged"), "--foreground", "--force", f"--key-file={folder}/munge.key", f"--socket={folder}/munge.sock",
        f"--pid-file={folder}/munged.pid", f"--log-file={lab.log('munged')}", f"--seed-file={folder}/munge.seed"])
    wait_for((folder / "munge.sock").exists, 10, "munged's socket", munged, lab.log("munged"))
    start_controller(lab, fresh=True)
    for node in NODES:
        start_node(lab, node)
    wait_until_idle(lab)
    lab.env.update({"SLURM_CONF": configuration(lab), "SLURM_MUNGE_SOCKET": folder / "munge.sock",
                    "SLURM_LICENCE": LICENCE, "SLURM_NODES": ",".join(NODES)})


def start_controller(lab, fresh=False):
    """Starts slurmctld; with its saved state unless `fresh`."""
    lab.spawn("slurmctld", [find_program("slurmctld"), "-D", *(["-c"] if fresh else []), "-f", configuration(lab)])
    wait_for(lambda: answers(lab), 20, "slurmctld to answer", log=lab.log("slurmctld"))


def start_node(lab, node):
    if node not in NODES:
        raise Trouble(f"no node {node!r}; there are {', '.join(NODES)}")
    lab.spawn(f"slurmd-{node}", [find_program("slurmd"), "-D", "-N", node, "-f", configuration(lab)])


def client(lab, *command, seconds=30):
    """Runs one of Slurm's commands against this lab."""
    return run([find_program(command[0]), *command[1:]], seconds, env={**os.environ, "SLURM_CONF": str(configuration(lab))})


def answers(lab):
    try:
        client(lab, "scontrol", "ping")
    except Trouble:
        return False
    return True


def states(lab):
    """Node by node the state that slurmctld sees."""
    return dict(line.split() for line in client(lab, "sinfo", "-h", "-N", "-o", "%N %T").splitlines())


def wait_until_idle(lab, nodes=NODES, seconds=20):
    wait_for(lambda: all(states(lab).get(node) == "idle" for node in nodes), seconds, f"{', '.join(nodes)} to be idle",
             log=lab.log("slurmctld"))
