"""The parts of a lab, which ports each has, and how they come up side by side."""

import concurrent.futures
import contextlib
import os
import time

from . import bmc, box, labgrid, ports, redfish, slurm, ssh, venv
from .core import Lab, Trouble

NAMES = ("slurm", "labgrid", "box", "redfish", "ssh")
NEED_PIP = ("labgrid", "redfish")


def allot(block):
    """The ports by part. The box's are fixed even in a lab without the box, because labgrid exports them."""
    left = iter(block)
    return {name: [next(left) for _ in range(count)] for name, count in
            (("box", box.PORTS), ("bmc", bmc.PORTS), ("slurm", slurm.PORTS), ("labgrid", labgrid.PORTS), ("redfish", redfish.PORTS),
             ("ssh", ssh.PORTS))}


@contextlib.contextmanager
def part(name):
    """Trouble inside is trouble of this part."""
    try:
        yield
    except Trouble as trouble:
        raise Trouble(f"{name}: {trouble}", trouble.log) from None
    except OSError as error:
        raise Trouble(f"{name}: {error}") from None


def up(folder, wanted, say):
    """Brings the lab up and gives it; whatever fails, nothing is left running. `say` tells a person."""
    begin = time.monotonic()
    lab = Lab(folder)
    lab.create()
    try:
        wanted, left_out = without_pip(wanted, say)
        allotted = allot(ports.take(lab.folder, lambda owner: bool(Lab(owner).living())))
        lab.env.update({"LAB": lab.folder, "LAB_PARTS": ",".join(wanted), "LAB_LEFT_OUT": ",".join(left_out), "LAB_LOGS": lab.logs,
                        "LAB_PIDS": lab.pids})
        start_all(lab, wanted, allotted, say, begin)
        lab.write_env()
    except BaseException:
        lab.take_down()
        raise
    return lab


def without_pip(wanted, say):
    """(the parts that can be had, those that cannot because pip cannot install them)."""
    if not any(name in NEED_PIP for name in wanted):
        return wanted, []
    try:
        venv.ensure()
    except Trouble as trouble:
        left_out = [name for name in wanted if name in NEED_PIP]
        say(f"left out: {', '.join(left_out)}, because pip cannot install their packages: {trouble}")
        return [name for name in wanted if name not in NEED_PIP], left_out
    return wanted, []


def start_all(lab, wanted, allotted, say, begin):
    """Starts the parts at the same time and waits until each answers, or all trouble is known."""

    def box_and_bmc():
        with part("box"):
            box.prepare(lab, allotted["box"], allotted["bmc"][1])
        with part("bmc"):
            bmc.start(lab, allotted["bmc"])

    def redfish_for(box_ready):
        # It asks the BMC for the state of power, so it needs to know the BMC.
        if box_ready is not None:
            box_ready.result()
            redfish.start(lab, allotted["redfish"], bmc.command(lab))
        else:
            redfish.start(lab, allotted["redfish"])

    def timed(name, action, *words):
        with part(name):
            action(*words)
        say(f"{time.monotonic() - begin:6.1f} s  {name} answers")

    with concurrent.futures.ThreadPoolExecutor(len(NAMES)) as pool:
        tasks = {}
        if "box" in wanted:
            tasks["box"] = pool.submit(timed, "box", box_and_bmc)
        if "slurm" in wanted:
            tasks["slurm"] = pool.submit(timed, "slurm", slurm.start, lab, allotted["slurm"])
        if "labgrid" in wanted:
            tasks["labgrid"] = pool.submit(timed, "labgrid", labgrid.start, lab, allotted["labgrid"], allotted["box"])
        if "ssh" in wanted:
            tasks["ssh"] = pool.submit(timed, "ssh", ssh.start, lab, allotted["ssh"])
        if "redfish" in wanted:
            tasks["redfish"] = pool.submit(timed, "redfish", redfish_for, tasks.get("box"))
        troubles = [task.exception() for task in tasks.values() if task.exception()]
    for trouble in troubles:
        if not isinstance(trouble, Trouble):
            raise trouble
    if troubles:
        raise Trouble("\n".join(dict.fromkeys(report(trouble) for trouble in troubles)))


def report(trouble):
    """What went wrong and the end of the log that tells more."""
    text = str(trouble)
    if trouble.log and os.path.exists(trouble.log):
        with open(trouble.log, encoding="utf-8", errors="replace") as file:
            tail = file.read()[-3000:].splitlines()[-20:]
        text += f"\n--- the end of {trouble.log}\n" + "\n".join(tail)
    return text
