"""Ports on 127.0.0.1 that no other lab has.

A free port is not enough: the box's ssh port is bound only while the box is on, and a killed server wants its port back.
So a lab holds a block of ports for as long as it lives, by a file that names its folder and the process that brings it up:
until the first server runs, that process is all that there is of the lab."""

import contextlib
import fcntl
import os
import pathlib
import socket
import tempfile

# Below Linux's range for outgoing connections.
FIRST, LAST, BLOCK = 20000, 31999, 20


def registry():
    folder = pathlib.Path(tempfile.gettempdir()) / f"loopback-labs.{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to somebody else")
    return folder


@contextlib.contextmanager
def locked(folder):
    with open(folder / "lock", "w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_free(port):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                # Without this a port whose connections are in TIME_WAIT would count as taken.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def read(holder):
    """(folder, pid of the process that took the block); an empty file names no lab."""
    folder, _, pid = holder.read_text().partition("\n")
    return folder or "/", pid.strip() or "none"


def take(folder, is_alive):
    """The ports of the lab in `folder`. `is_alive` says whether a lab that holds a block still runs."""
    holders = registry()
    with locked(holders):
        for first in range(FIRST, LAST - BLOCK + 2, BLOCK):
            holder = holders / str(first)
            if holder.exists():
                owner, pid = read(holder)
                if owner != str(folder) and (os.path.exists(f"/proc/{pid}") or is_alive(owner)):
                    continue
            block = list(range(first, first + BLOCK))
            if all(is_free(port) for port in block):
                holder.write_text(f"{folder}\n{os.getpid()}\n")
                return block
    raise OSError(f"no block of {BLOCK} free ports between {FIRST} and {LAST}")


def give_back(folder):
    holders = registry()
    with locked(holders):
        for holder in holders.iterdir():
            if holder.name.isdigit() and read(holder)[0] == str(folder):
                holder.unlink()
