"""labgrid: a coordinator that knows the place box-01, and an exporter with the box's ssh and console."""

import os

from . import keys, venv
from .core import Trouble, run, wait_for

PORTS = 1
PLACE = "box-01"
TAGS = {"arch": "x86_64", "hmm": "svm", "board": "box"}


def start(lab, ports, box_ports):
    """`box_ports`: those of the box's ssh and console, whether or not this lab has the box."""
    folder = lab.folder / "labgrid"
    (folder / "coordinator").mkdir(parents=True, exist_ok=True)
    programs = venv.ensure() / "bin"
    # Started by these names the servers have the lab's folder in their command line.
    for name in ("labgrid-coordinator", "labgrid-exporter"):
        link = folder / name
        link.unlink(missing_ok=True)
        link.symlink_to(programs / name)
    tags = "".join(f"    {key}: {value}\n" for key, value in TAGS.items())
    lab.write("labgrid/coordinator/places.yaml", f"""\
{PLACE}:
  aliases: []
  comment: the box of this lab
  tags:
{tags}  matches:
  - {{exporter: lab1, group: box, cls: '*', name: null, rename: null}}
  created: 0.0
  changed: 0.0
""")
    lab.write("labgrid/exporter.yaml", f"""\
box:
  NetworkService:
    address: 127.0.0.1
    port: {box_ports[0]}
    username: root
  NetworkSerialPort:
    host: 127.0.0.1
    port: {box_ports[1]}
    speed: 115200
    protocol: raw
""")
    lab.env.update({"LABGRID_COORDINATOR": f"127.0.0.1:{ports[0]}", "LABGRID_PLACE": PLACE,
                    "LABGRID_TAGS": ",".join(f"{key}={value}" for key, value in TAGS.items()), "LABGRID_BIN": programs})
    start_coordinator(lab)
    start_exporter(lab)


def start_coordinator(lab):
    address = lab.env["LABGRID_COORDINATOR"]
    server = lab.spawn("labgrid-coordinator", [lab.folder / "labgrid/labgrid-coordinator", "-l", address],
                       cwd=lab.folder / "labgrid/coordinator")
    wait_for(lambda: keys.is_open(int(address.rpartition(":")[2])), 30, "the coordinator to listen", server,
             lab.log("labgrid-coordinator"))


def start_exporter(lab):
    server = lab.spawn("labgrid-exporter", [
        lab.folder / "labgrid/labgrid-exporter", "-c", lab.env["LABGRID_COORDINATOR"], "-n", "lab1", "--hostname", "127.0.0.1",
        lab.folder / "labgrid/exporter.yaml"])
    wait_for(lambda: resources(lab) >= 2, 30, "the exporter's resources", server, lab.log("labgrid-exporter"))


def client(lab, *command, seconds=30, **more):
    """Runs labgrid-client against this lab."""
    environment = {**os.environ, "LG_COORDINATOR": lab.env["LABGRID_COORDINATOR"], "LG_HOSTNAME": "loopback", "LG_USERNAME": "lab", **more}
    return run([os.path.join(lab.env["LABGRID_BIN"], "labgrid-client"), *command], seconds, env=environment)


def resources(lab):
    """How many resources the coordinator lists."""
    try:
        return sum(1 for line in client(lab, "resources").splitlines() if line.startswith("lab1/box/"))
    except Trouble:
        return 0
