"""Redfish: sushy-emulator with its fake driver; where the lab has a box, the driver's power is that of the box's BMC."""

import base64
import json
import secrets
import urllib.request

from . import venv
from .core import run, wait_for

PORTS = 1
USER = "lab"
SYSTEM = "27946b59-9e44-4fa7-8e91-f3527a1ef094"

CONFIGURATION = """\
SUSHY_EMULATOR_LISTEN_IP = "127.0.0.1"
SUSHY_EMULATOR_LISTEN_PORT = {port}
SUSHY_EMULATOR_AUTH_FILE = "{folder}/htpasswd"
SUSHY_EMULATOR_STATE_DIR = "{folder}/state"
SUSHY_EMULATOR_FAKE_DRIVER = True
SUSHY_EMULATOR_FAKE_SYSTEMS = [{{"uuid": "{system}", "name": "box-01", "power_state": "Off", "external_notifier": False, "nics": []}}]
"""

# The configuration is Python that the emulator runs once: there it learns to act on the box instead of remembering a word.
REAL_POWER = """

def act_on_the_box():
    import os
    import subprocess

    from sushy_tools import error
    from sushy_tools.emulator.resources.systems import fakedriver

    with open({password_file!r}, encoding="utf-8") as file:
        environment = {{**os.environ, "IPMI_PASSWORD": file.read().strip()}}
    actions = {{"On": "on", "ForceOn": "on", "ForceOff": "off", "GracefulShutdown": "off", "ForceRestart": "cycle", "GracefulRestart": "cycle"}}

    def ipmi(*words):
        done = subprocess.run([*{command!r}, *words], env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=20,
                              check=False)
        if done.returncode:
            raise error.FishyError("the box's BMC does not answer: " + done.stderr.decode(errors="replace").strip())
        return done.stdout.decode(errors="replace").strip()

    def get_power_state(self, identity):
        self._get(identity)
        return "On" if ipmi("chassis", "power", "status").endswith(" on") else "Off"

    def set_power_state(self, identity, state):
        self._get(identity)
        if state not in actions:
            raise error.NotSupportedError(f"Power state {{state}} is not supported")
        ipmi("chassis", "power", actions[state])

    fakedriver.FakeDriver.get_power_state = get_power_state
    fakedriver.FakeDriver.set_power_state = set_power_state


act_on_the_box()
del act_on_the_box
"""


def start(lab, ports, bmc_command=None):
    """`bmc_command`: ipmitool's command line for the box's BMC, where the lab has one."""
    folder = lab.folder / "redfish"
    (folder / "state").mkdir(parents=True, exist_ok=True)
    program = venv.ensure() / "bin/sushy-emulator"
    password = secrets.token_hex(8)
    lab.write("redfish/password", password + "\n")
    # bcrypt is the one form that the emulator takes.
    hashed = run([venv.folder() / "bin/python", "-c", HASH], env={"LAB_PASSWORD": password}).strip()
    lab.write("redfish/htpasswd", f"{USER}:{hashed}\n")
    text = CONFIGURATION.format(port=ports[0], folder=folder, system=SYSTEM)
    if bmc_command:
        text += REAL_POWER.format(command=bmc_command, password_file=str(lab.env["BMC_PASSWORD_FILE"]))
    lab.write("redfish/emulator.conf", text)
    lab.env.update({"REDFISH_URL": f"http://127.0.0.1:{ports[0]}", "REDFISH_SYSTEM": f"/redfish/v1/Systems/{SYSTEM}",
                    "REDFISH_USER": USER, "REDFISH_PASSWORD_FILE": folder / "password",
                    "REDFISH_ACTS_ON": "box" if bmc_command else "nothing"})
    server = lab.spawn("redfish", [program, "--config", folder / "emulator.conf"])
    wait_for(lambda: answers(lab), 30, "Redfish to answer", server, lab.log("redfish"))


HASH = "import bcrypt, os; print(bcrypt.hashpw(os.environ['LAB_PASSWORD'].encode(), bcrypt.gensalt(4)).decode())"


def request(lab, path, body=None):
    """GET, or POST of a body; gives (status, answer)."""
    with open(lab.env["REDFISH_PASSWORD_FILE"], encoding="utf-8") as file:
        token = base64.b64encode(f"{USER}:{file.read().strip()}".encode()).decode()
    asked = urllib.request.Request(lab.env["REDFISH_URL"] + path, headers={"Authorization": f"Basic {token}"})
    if body is not None:
        asked.data = json.dumps(body).encode()
        asked.add_header("Content-Type", "application/json")
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=30) as answer:
        text = answer.read()
        return answer.status, json.loads(text) if text else None


def power(lab):
    """`On` or `Off`, as Redfish says."""
    return request(lab, lab.env["REDFISH_SYSTEM"])[1]["PowerState"]


def reset(lab, kind):
    return request(lab, lab.env["REDFISH_SYSTEM"] + "/Actions/ComputerSystem.Reset", {"ResetType": kind})[0]


def answers(lab):
    try:
        return request(lab, "/redfish/v1")[0] == 200
    except OSError:
        return False
