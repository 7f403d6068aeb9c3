"""The Python packages that Debian 12 lacks or has too old: in a virtual environment in the cache, made once."""

import fcntl
import os
import shutil
import sys

from .core import Trouble, cache, run

PACKAGES = ("labgrid", "sushy-tools")
PROGRAMS = ("labgrid-coordinator", "labgrid-exporter", "labgrid-client", "sushy-emulator")


def folder():
    return cache() / "lab-venv"


def ensure():
    """Makes the environment unless it is there. Trouble, with pip's words, where pip cannot."""
    target = folder()
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target.parent / "lab-venv.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_complete(target):
            return target
        # An environment knows its own path, so it is made in place; the last file says that it is whole.
        shutil.rmtree(target, ignore_errors=True)
        run([sys.executable, "-m", "venv", target], 120)
        run([target / "bin/python", "-m", "pip", "install", "-q", *PACKAGES], 600)
        (target / "complete").touch()
        if not is_complete(target):
            raise Trouble(f"pip installed {' and '.join(PACKAGES)}, but not all of {', '.join(PROGRAMS)}")
        return target


def is_complete(target):
    return (target / "complete").exists() and all(os.access(target / "bin" / name, os.X_OK) for name in PROGRAMS)
