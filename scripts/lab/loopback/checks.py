"""What selftest does to a lab to know that every part is the real thing. Each check raises Trouble, or gives a remark."""

import contextlib
import fnmatch
import getpass
import os
import pty
import re
import select
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

from . import bmc, box, keys, labgrid, redfish, slurm
from .core import Trouble, run, wait_for
from .hurt import ACTIONS


def need(condition, what):
    if not condition:
        raise Trouble(what)


def hurt(lab, name, *words):
    ACTIONS[name][2](lab, *words)


# ---- Slurm

def finished(lab, number):
    """Waits for a job; gives its state and exit code."""
    def over():
        return re.search(r"JobState=(COMPLETED|FAILED|CANCELLED|NODE_FAIL|TIMEOUT)", slurm.client(lab, "scontrol", "show", "job", number))
    wait_for(over, 60, f"job {number} to end")
    return over()[1]


def submit(lab, command, *options):
    return slurm.client(lab, "sbatch", "--parsable", "-D", str(lab.folder), "-o", str(lab.folder / "job-%j.out"), *options,
                        "--wrap", command).strip()


def job_runs(lab):
    number = submit(lab, "echo on $SLURMD_NODENAME", "--constraint=hmm", "--gres=kvm:1")
    need(finished(lab, number) == "COMPLETED", "the job failed")
    said = (lab.folder / f"job-{number}.out").read_text().strip()
    need(said in ("on n1", "on n2"), f"the job said {said!r}")
    need(finished(lab, submit(lab, "exit 3")) == "FAILED", "a job that fails counts as a success")
    return said


def licence_is_one(lab):
    first = submit(lab, "sleep 600", "-p", "lab", "-L", f"{slurm.LICENCE}:1")
    wait_for(lambda: state_of(lab, first).startswith("RUNNING"), 20, "the first job to get the box")
    second = submit(lab, "true", "-p", "lab", "-L", f"{slurm.LICENCE}:1")
    wait_for(lambda: state_of(lab, second) == "PENDING Licenses", 20, "the second job to wait for the licence")
    slurm.client(lab, "scancel", first)
    need(finished(lab, second) == "COMPLETED", "the second job did not get the box")
    return "the second job waited"


def state_of(lab, number):
    return slurm.client(lab, "squeue", "-h", "-j", number, "-o", "%T %r").strip()


def node_dies_and_comes_back(lab):
    hurt(lab, "kill-slurmd", "n1")
    hurt(lab, "start-slurmd", "n1")
    hurt(lab, "kill-slurmctld")
    need(not slurm.answers(lab), "a dead controller answers")
    hurt(lab, "start-slurmctld")
    slurm.wait_until_idle(lab, ("n1", "n2"), 60)
    # A controller killed within two seconds of a job's end takes the job for a running one again, which holds its licence.
    slurm.client(lab, "scancel", "--user", getpass.getuser())
    slurm.wait_until_idle(lab, seconds=60)
    return "all nodes idle"


# ---- the box

def boot_id(lab):
    return box.ssh(lab, "cat", "/proc/sys/kernel/random/boot_id", seconds=15).strip()


def await_boot(lab, before, seconds=120):
    """Waits until the box answers and has booted since `before`; gives the new id."""
    def booted():
        with contextlib.suppress(Trouble):
            now = boot_id(lab)
            return now if now != before else None
    wait_for(booted, seconds, "the box to boot")
    return boot_id(lab)


def is_default(lab):
    release = box.ssh(lab, "uname", "-r").strip()
    need(fnmatch.fnmatch(release, lab.env["BOX_DEFAULT_UNAME"]), f"the box runs {release}")
    return release


def power_on(lab):
    need(bmc.power(lab) == "off", "the box is on before it was switched on")
    bmc.ipmi(lab, "chassis", "power", "on")
    await_boot(lab, None)
    need(bmc.power(lab) == "on", "the BMC says that the box is off")
    mounts = box.ssh(lab, "cat", "/proc/mounts")
    for folder in ("/proc", "/sys", "/dev", "/dev/shm", "/tmp", "/sys/kernel/debug", lab.env["BOX_STATE_DIR"]):
        need(f" {folder} " in mounts, f"{folder} is not mounted in the box")
    return is_default(lab)


def power_cycle(lab):
    before = boot_id(lab)
    box.ssh(lab, f"echo kept > {lab.env['BOX_STATE_DIR']}/mark; sync")
    bmc.ipmi(lab, "chassis", "power", "cycle")
    await_boot(lab, before)
    need(box.ssh(lab, "cat", f"{lab.env['BOX_STATE_DIR']}/mark").strip() == "kept", "the disk forgot")
    return is_default(lab)


def power_reset(lab):
    before = boot_id(lab)
    bmc.ipmi(lab, "chassis", "power", "reset")
    await_boot(lab, before)
    return is_default(lab)


def kexec_and_back(lab):
    before = boot_id(lab)
    append = lab.env["BOX_APPEND"]
    box.ssh(lab, f"kexec -l {lab.env['BOX_KERNEL']} --initrd={lab.env['BOX_INITRD']} --command-line='{append} by=kexec'; sync; "
                 "(sleep 1; kexec -e) </dev/null >/dev/null 2>&1 &")
    before = await_boot(lab, before)
    need("by=kexec" in box.ssh(lab, "cat", "/proc/cmdline"), "the box runs, but not the kernel that kexec started")
    box.ssh(lab, "(sleep 1; reboot) </dev/null >/dev/null 2>&1 &")
    await_boot(lab, before)
    need("by=kexec" not in box.ssh(lab, "cat", "/proc/cmdline"), "the reboot led into the kexec kernel again")
    return is_default(lab)


def panic_is_seen(lab):
    before = boot_id(lab)
    with Console(lab) as console:
        box.ssh(lab, "(sleep 1; echo c > /proc/sysrq-trigger) </dev/null >/dev/null 2>&1 &")
        console.expect("Kernel panic - not syncing: sysrq triggered crash")
        console.expect("box: up:", 120)
    await_boot(lab, before)
    return is_default(lab)


def hang_needs_a_cycle(lab):
    before = boot_id(lab)
    hurt(lab, "hang-box")
    try:
        box.ssh(lab, "true", seconds=5)
    except Trouble:
        pass
    else:
        raise Trouble("a box that hangs answers")
    bmc.ipmi(lab, "chassis", "power", "cycle")
    await_boot(lab, before)
    return is_default(lab)


class Console:
    """A client of the console server."""

    def __init__(self, lab):
        self.connection = socket.create_connection(("127.0.0.1", int(lab.env["BOX_CONSOLE_PORT"])))
        self.seen = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def expect(self, text, seconds=60):
        end = time.monotonic() + seconds
        while text.encode() not in self.seen:
            self.connection.settimeout(max(0.01, end - time.monotonic()))
            try:
                data = self.connection.recv(65536)
            except TimeoutError:
                data = b""
            need(data, f"the console did not show {text!r}, but ended with {self.seen[-300:]!r}")
            self.seen += data
        self.seen = self.seen.partition(text.encode())[2]


# ---- the BMC

def serial_over_lan(lab):
    """ipmitool wants a terminal for it. The answer to a typed command has to come back, and a boot after that."""
    bmc.ipmi(lab, "chassis", "power", "off")
    wait_for(lambda: bmc.power(lab) == "off", 20, "the box to go off")
    child, terminal = pty.fork()
    if child == 0:
        command = bmc.command(lab, "sol", "activate")
        os.execve(command[0], command, bmc.environment(lab))
    seen = b""

    def see(text, seconds):
        nonlocal seen
        end = time.monotonic() + seconds
        while text not in seen:
            need(time.monotonic() < end, f"SOL did not show {text!r}, but ended with {seen[-300:]!r}")
            if select.select([terminal], [], [], 0.2)[0]:
                with contextlib.suppress(OSError):
                    seen += os.read(terminal, 65536)
        seen = seen.partition(text)[2]

    try:
        see(b"SOL Session operational", 20)
        bmc.ipmi(lab, "chassis", "power", "on")
        see(b"Linux version", 60)
        see(b"Please press Enter", 120)
        os.write(terminal, b"\r")
        see(b"box-01#", 20)
        os.write(terminal, b"echo by-$((40+2))-sol\r")
        see(b"by-42-sol", 20)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(terminal)
        # A client that was killed leaves the session open.
        bmc.ipmi(lab, "sol", "deactivate")
    return "boot seen, command answered"


def frozen_bmc(lab):
    before = boot_id(lab)
    hurt(lab, "freeze-bmc")
    begin = time.monotonic()
    need(not bmc.answers(lab), "a frozen BMC answers")
    silence = time.monotonic() - begin
    need(boot_id(lab) == before, "the box suffers from its BMC's trouble")
    hurt(lab, "thaw-bmc")
    wait_for(lambda: bmc.answers(lab), 30, "the BMC to answer again")
    return f"ipmitool gave up after {silence:.0f} s"


def dead_bmc(lab):
    hurt(lab, "kill-bmc")
    need(lab.pid("box") is None, "the box outlives its BMC")
    hurt(lab, "start-bmc")
    need(bmc.power(lab) == "off", "the box is on")
    bmc.ipmi(lab, "chassis", "power", "on")
    await_boot(lab, None)
    return is_default(lab)


# ---- Redfish

def redfish_resets(lab):
    try:
        urllib.request.urlopen(lab.env["REDFISH_URL"] + lab.env["REDFISH_SYSTEM"], timeout=10)
    except urllib.error.HTTPError as refused:
        need(refused.code == 401, f"without a password the answer is {refused.code}")
    else:
        raise Trouble("Redfish asks for no password")
    if lab.env["REDFISH_ACTS_ON"] == "box":
        need(redfish.power(lab) == "On" and bmc.power(lab) == "on", "the box is not on")
        before = boot_id(lab)
        need(redfish.reset(lab, "ForceRestart") == 204, "Reset was refused")
        await_boot(lab, before)
    need(redfish.reset(lab, "ForceOff") == 204, "Reset was refused")
    wait_for(lambda: redfish.power(lab) == "Off", 30, "Redfish to say Off")
    need(bmc.power(lab) == "off", "the box is still on")
    return "restarted and switched off the box"


# ---- labgrid

def labgrid_reserves(lab):
    said = labgrid.client(lab, "reserve", "--shell", "hmm=svm", "arch=x86_64")
    token = re.search(r"LG_TOKEN=(\w+)", said)
    need(token, f"reserve said {said!r}")
    labgrid.client(lab, "wait", token[1])
    labgrid.client(lab, "-p", "+", "acquire", LG_TOKEN=token[1])
    need("acquired: loopback/lab" in place(lab), "the place is not ours")
    try:
        labgrid.client(lab, "-p", labgrid.PLACE, "acquire", LG_USERNAME="other")
    except Trouble:
        pass
    else:
        raise Trouble("two users have the same place")
    hurt(lab, "restart-coordinator")
    need("acquired: None" in place(lab), "a coordinator that restarted remembers a lock")
    labgrid.client(lab, "-p", labgrid.PLACE, "acquire")
    labgrid.client(lab, "-p", labgrid.PLACE, "release")
    need("acquired: None" in place(lab), "the place is not free after its release")
    return "lock forgotten by a new coordinator"


def place(lab):
    return labgrid.client(lab, "-p", labgrid.PLACE, "show")


# ---- sshd

def sshd_lets_in(lab):
    command = keys.client(lab.folder / "ssh", int(lab.env["SSHD_PORT"]), lab.env["SSHD_USER"], lab.env["SSHD_HOST_KEY"],
                          lab.env["SSHD_IDENTITY"])
    need(run([*command, "echo", "in"]).strip() == "in", "the command did not run")
    status = subprocess.run([*command, "exit 7"], stdin=subprocess.DEVNULL, check=False, timeout=30).returncode
    need(status == 7, f"exit status 7 came back as {status}")
    other = keys.client(lab.folder / "ssh", int(lab.env["SSHD_PORT"]), lab.env["SSHD_USER"], lab.env["SSHD_HOST_KEY"],
                        lab.folder / "ssh/host_key")
    refused = subprocess.run([*other, "true"], stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=30)
    need(b"Permission denied" in refused.stderr, "a wrong key is let in")
    return "exit codes pass; a wrong key is refused"


ALL = (
    ("slurm", "a job runs, a bad one fails", job_runs),
    ("slurm", "the box's licence is one", licence_is_one),
    ("slurm", "slurmd and slurmctld killed", node_dies_and_comes_back),
    ("ssh", "sshd", sshd_lets_in),
    ("box", "power on by IPMI, then ssh", power_on),
    ("box", "power cycle, disk kept", power_cycle),
    ("box", "reset by IPMI", power_reset),
    ("box", "kexec into itself, and back", kexec_and_back),
    ("box", "panic on the console, then back", panic_is_seen),
    ("box", "a hang, ended by a power cycle", hang_needs_a_cycle),
    ("box", "BMC frozen", frozen_bmc),
    ("box", "BMC killed", dead_bmc),
    ("box", "serial over LAN", serial_over_lan),
    ("redfish", "Redfish resets", redfish_resets),
    ("labgrid", "labgrid reserves and forgets", labgrid_reserves),
)
