"""A power strip: pdudaemon, whose outlet 1 is the box's power."""

import json
import os
import urllib.error
import urllib.parse
import urllib.request

from .core import find_program, wait_for

PORTS = 1
PROGRAM = "/usr/sbin/pdudaemon"
PDU = "strip"
OUTLET = 1

SWITCH = """\
#!/bin/sh
# What pdudaemon runs: the box's BMC does as the outlet is told.
[ "$1" = {outlet} ] || exit 1
IPMI_PASSWORD=$(cat {password_file}) exec {command} chassis power "$2"
"""


def is_installed():
    return os.access(PROGRAM, os.X_OK)


def start(lab, ports, bmc_command):
    """`bmc_command`: ipmitool's command line for the box's BMC."""
    switch = lab.write("pdu/switch", SWITCH.format(outlet=OUTLET, password_file=lab.env["BMC_PASSWORD_FILE"],
                                                   command=" ".join(str(word) for word in bmc_command)), 0o700)
    lab.write("pdu/pdudaemon.conf", json.dumps({
        "daemon": {"hostname": "127.0.0.1", "port": ports[0], "logging_level": "DEBUG", "listener": "http"},
        "pdus": {PDU: {"driver": "localcmdline", "cmd_on": f"{switch} %s on", "cmd_off": f"{switch} %s off"}}}))
    lab.env.update({"PDU_URL": f"http://127.0.0.1:{ports[0]}", "PDU_NAME": PDU, "PDU_OUTLET": OUTLET})
    server = lab.spawn("pdu", [find_program("pdudaemon"), "--conf", lab.folder / "pdu/pdudaemon.conf", "--logfile", lab.log("pdudaemon")])
    wait_for(lambda: answers(lab), 30, "pdudaemon to answer", server, lab.log("pdu"))


def ask(lab, state, strip=PDU):
    """Asks for `on` or `off`; pdudaemon answers before it does it."""
    query = urllib.parse.urlencode({"hostname": strip, "port": OUTLET})
    open_without_proxy(f"{lab.env['PDU_URL']}/power/control/{state}?{query}")


def open_without_proxy(url):
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=10) as answer:
        return answer.status


def answers(lab):
    """Whether it listens: it refuses what is no request."""
    try:
        open_without_proxy(lab.env["PDU_URL"])
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True
