"""Keys of ssh, and what a client says with them."""

import os
import pathlib
import socket

from .core import Trouble, find_program, run


def make(path):
    """Makes an ed25519 key unless there is one; gives its public half without the comment."""
    path = pathlib.Path(path)
    if not path.exists():
        run([find_program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-C", "loopback-lab", "-f", path])
    return " ".join(path.with_name(path.name + ".pub").read_text().split()[:2])


def privilege_separation_folder():
    """Debian's sshd, started as root, refuses to work without /run/sshd, which only its service makes."""
    if os.getuid() == 0:
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)


def banner(port):
    """The first line of whatever answers on a port, or nothing."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            return connection.recv(64).decode(errors="replace")
    except OSError:
        return ""


def client(folder, port, user, host_key, identity):
    """The ssh command for a server whose host key is known; the command to run there is to be appended."""
    known = pathlib.Path(folder) / f"known_hosts.{port}"
    if not known.exists() or host_key not in known.read_text():
        known.write_text(f"[127.0.0.1]:{port} {host_key}\n")
    if not pathlib.Path(identity).exists():
        raise Trouble(f"{identity} is missing")
    return [find_program("ssh"), "-F", "none", "-p", str(port), "-i", str(identity), "-o", f"UserKnownHostsFile={known}",
            "-o", "GlobalKnownHostsFile=none", "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes",
            "-o", "ConnectTimeout=5", "-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=2", f"{user}@127.0.0.1"]


def is_open(port):
    """Whether something listens on a port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2):
            return True
    except OSError:
        return False
