"""A real sshd, key only, that lets in the user who started the lab."""

import getpass

from . import keys
from .core import find_program, wait_for

PORTS = 1

CONFIGURATION = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
UsePAM no
# Below a temporary folder, which others can write to.
StrictModes no
UseDNS no
# Many short connections at once are what a run does.
MaxStartups 100:30:200
Subsystem sftp internal-sftp
"""


def start(lab, ports):
    folder = lab.folder / "ssh"
    folder.mkdir(exist_ok=True)
    host_key = keys.make(folder / "host_key")
    lab.write("ssh/authorized_keys", keys.make(folder / "id_ed25519") + "\n")
    lab.write("ssh/sshd_config", CONFIGURATION.format(port=ports[0], folder=folder))
    start_server(lab, ports[0])
    lab.env.update({"SSHD_HOST": "127.0.0.1", "SSHD_PORT": ports[0], "SSHD_USER": getpass.getuser(),
                    "SSHD_IDENTITY": folder / "id_ed25519", "SSHD_HOST_KEY": host_key})


def start_server(lab, port):
    # sshd wants a folder that only a boot script makes.
    keys.privilege_separation_folder()
    server = lab.spawn("sshd", [find_program("sshd"), "-D", "-e", "-f", lab.folder / "ssh/sshd_config"])
    wait_for(lambda: keys.banner(port).startswith("SSH-"), 10, "sshd to answer", server, lab.log("sshd"))
