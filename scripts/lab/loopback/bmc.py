"""The BMC: ipmi_sim, whose power switch starts and kills the box."""

import os
import secrets

from .core import Trouble, find_program, run, wait_for

PORTS = 2  # IPMI (UDP), and where the box connects to its BMC
USER = "lab"

CONFIGURATION = """\
name "box01"
set_working_mc 0x20
  startlan 1
    addr 127.0.0.1 {port}
    priv_limit admin
    allowed_auths_callback none md2 md5 straight
    allowed_auths_user none md2 md5 straight
    allowed_auths_operator none md2 md5 straight
    allowed_auths_admin none md2 md5 straight
    guid a123456789abcdefa123456789abcdef
  endlan
  # Without this channel the power switch is refused. The box connects, so that reset works, too.
  serial 15 127.0.0.1 {machine} codec VM
  startcmd "{folder}/box/start"
  startnow false
  poweroff_wait 1
  kill_wait 1
  sol "tcp:127.0.0.1:{console}" 115200
  user 1 false "" "" user 10 none md2 md5 straight
  user 2 true "{user}" "{password}" admin 10 none md2 md5 straight
"""

COMMANDS = """\
mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02
sel_enable 0x20 1000 0x0a
mc_enable 0x20
"""


def start(lab, ports):
    folder = lab.folder / "bmc"
    folder.mkdir(exist_ok=True)
    password = secrets.token_hex(8)
    lab.write("bmc/password", password + "\n")
    lab.write("bmc/lan.conf", CONFIGURATION.format(port=ports[0], machine=ports[1], folder=lab.folder, user=USER, password=password,
                                                   console=lab.env["BOX_CONSOLE_PORT"]))
    lab.write("bmc/sim.emu", COMMANDS)
    lab.env.update({"BMC_HOST": "127.0.0.1", "BMC_PORT": ports[0], "BMC_USER": USER, "BMC_PASSWORD_FILE": folder / "password",
                    "BMC_CIPHER": 3})
    start_server(lab)


def start_server(lab):
    state = lab.folder / "bmc/state"
    state.mkdir(exist_ok=True)
    server = lab.spawn("bmc", [find_program("ipmi_sim"), "-n", "-c", lab.folder / "bmc/lan.conf", "-f", lab.folder / "bmc/sim.emu",
                               "-s", state])
    wait_for(lambda: answers(lab), 20, "the BMC to answer", server, lab.log("bmc"))


def command(lab, *words):
    """ipmitool's command line; the password goes by the environment."""
    return [find_program("ipmitool"), "-I", "lanplus", "-C", "3", "-N", "2", "-R", "2", "-H", "127.0.0.1", "-p", str(lab.env["BMC_PORT"]),
            "-U", USER, "-E", *words]


def environment(lab):
    with open(lab.env["BMC_PASSWORD_FILE"], encoding="utf-8") as file:
        return {**os.environ, "IPMI_PASSWORD": file.read().strip()}


def ipmi(lab, *words, seconds=30):
    """Runs ipmitool against the BMC; gives its output."""
    return run(command(lab, *words), seconds, env=environment(lab))


def power(lab):
    """`on` or `off`, as the BMC says."""
    said = ipmi(lab, "chassis", "power", "status").strip().rpartition(" ")[2]
    if said not in ("on", "off"):
        raise Trouble(f"the BMC says: {said!r}")
    return said


def answers(lab):
    try:
        return power(lab) in ("on", "off")
    except Trouble:
        return False
