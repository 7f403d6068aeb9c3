"""A lab: its folder, its ports, the processes that belong to it."""

import os
import pathlib
import re
import signal
import subprocess
import time

from . import ports

# In the environment of everything that a lab starts, so that `down` finds children that no pid file names.
MEMBER = "LOOPBACK_LAB_MEMBER"
# Unix sockets below the folder may have 107 bytes in all.
LONGEST_FOLDER = 80
MARKER = ".loopback-lab"


class Trouble(Exception):
    """What went wrong, for a person, and the log that tells more."""

    def __init__(self, message, log=None):
        super().__init__(message)
        self.log = log


def cache():
    """The folder of what is made once and used by every lab."""
    root = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return pathlib.Path(root) / "orchestrator"


def find_program(name):
    """The path of an installed program, or trouble that says what to install."""
    for folder in os.environ.get("PATH", "").split(":") + ["/usr/sbin", "/sbin", "/usr/bin"]:
        path = os.path.join(folder, name)
        if folder and os.access(path, os.X_OK):
            return path
    raise Trouble(f"{name} is not installed; run scripts/deps --test")


class Lab:
    """One lab in one folder."""

    def __init__(self, folder):
        self.folder = pathlib.Path(os.path.abspath(folder))
        text = str(self.folder)
        # The path goes into configuration files of eight programs, each with quoting rules of its own.
        if not re.fullmatch(r"[A-Za-z0-9_./+@-]+", text):
            raise Trouble(f"{text}: only letters, digits and _ . / + @ - can be in a lab's path")
        if len(text) > LONGEST_FOLDER:
            raise Trouble(f"{text}: a lab's path has at most {LONGEST_FOLDER} characters, because it holds sockets")
        self.pids = self.folder / "pids"
        self.logs = self.folder / "log"
        self.env = {}

    # ---- the folder

    def create(self):
        """Makes the folder, or takes an old lab's folder again."""
        if self.folder.exists() and not (self.folder / MARKER).exists() and any(self.folder.iterdir()):
            raise Trouble(f"{self.folder} holds other files; a lab wants a new or an empty folder")
        if self.living():
            raise Trouble(f"{self.folder} has a lab that runs; take it down first: scripts/lab/down {self.folder}")
        # Keys are in it, and munged accepts no folder that others can write to.
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        (self.folder / MARKER).touch()
        for folder in (self.pids, self.logs):
            folder.mkdir(exist_ok=True)
        for old in [*self.pids.iterdir(), *self.logs.iterdir(), self.folder / "lab.env"]:
            old.unlink(missing_ok=True)

    def write(self, name, text, mode=0o600):
        """Writes a file below the folder, whole or not at all; gives its path."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(path.name + ".new")
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
            file.write(text)
        temporary.rename(path)
        return path

    def write_env(self):
        """Writes lab.env: KEY=VALUE, a value with spaces in single quotes."""
        lines = []
        for key, value in self.env.items():
            value = str(value)
            if re.search(r"['\n]", value):
                raise Trouble(f"lab.env: {key} cannot be written: {value!r}")
            lines.append(f"{key}={value}" if re.fullmatch(r"[\w./:,@%+=*-]+", value) and "*" not in value
                         else f"{key}='{value}'")
        self.write("lab.env", "".join(line + "\n" for line in lines))

    def read_env(self):
        """Reads lab.env of a lab that is up."""
        try:
            text = (self.folder / "lab.env").read_text(encoding="utf-8")
        except FileNotFoundError:
            raise Trouble(f"{self.folder} has no lab that is up (no lab.env)") from None
        self.env = {}
        for line in text.splitlines():
            key, _, value = line.partition("=")
            self.env[key] = value.strip("'")
        return self.env

    # ---- processes

    def log(self, name):
        return self.logs / f"{name}.log"

    def spawn(self, name, command, cwd=None, env=None, start=None):
        """Starts a server in its own session, output to log/NAME.log, pid to pids/NAME.

        The folder must be in the command line: that is how `down` knows a process from one that has got the same pid."""
        command = [str(word) for word in command]
        if not any(self.is_mine(word) for word in command):
            raise Trouble(f"{name}: the command line does not name the lab's folder: {command}")
        surroundings = {key: value for key, value in os.environ.items() if not key.startswith(("SLURM_", "LG_"))}
        surroundings.update({MEMBER: str(self.folder), **(env or {})})
        with open(self.log(name), "ab") as log:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=cwd or self.folder,
                                     env=surroundings, start_new_session=True)
        self.write(f"pids/{name}", f"{child.pid}\n")
        return child

    def is_mine(self, word):
        """Whether a word of a command line names this folder, and not one whose name merely begins alike."""
        return re.search(re.escape(str(self.folder)) + r"(?![A-Za-z0-9_.+@-])", word) is not None

    def pid(self, name):
        """The pid of a server that runs, else None."""
        try:
            pid = int((self.pids / name).read_text())
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        except (OSError, ValueError):
            return None
        return pid if any(self.is_mine(word) for word in words) else None

    def signal(self, name, number):
        """Sends a signal to a server; trouble when it does not run."""
        pid = self.pid(name)
        if pid is None:
            raise Trouble(f"{name} does not run")
        os.kill(pid, number)
        return pid

    def kill(self, name):
        """Kills a server and waits until it is gone, its ports included.

        A process that ends loses its command line first and its sockets after that; a zombie has neither."""
        pid = self.signal(name, signal.SIGKILL)
        wait_for(lambda: is_zombie(pid), 10, f"{name} to die")
        (self.pids / name).unlink(missing_ok=True)

    def living(self):
        """All pids of this lab: by pid file, and children by their environment; the caller's own line is left out."""
        found = {self.pid(path.name) for path in self.pids.iterdir()} if self.pids.exists() else set()
        member = f"{MEMBER}={self.folder}".encode()
        configuration = f"SLURM_CONF={self.folder}/slurm/slurm.conf".encode()
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                words = (entry / "environ").read_bytes().split(b"\0")
                if member in words:
                    found.add(int(entry.name))
                # What a job started: its environment is the submitter's, not slurmd's.
                elif configuration in words and any(word.startswith(b"SLURM_JOB_ID=") for word in words):
                    found.add(int(entry.name))
                elif (entry / "comm").read_text().strip() == "slurmstepd" and self.is_mine(os.readlink(entry / "cwd")):
                    found.add(int(entry.name))
            except OSError:
                continue
        return {pid for pid in found if pid is not None and not is_zombie(pid)} - ancestors()

    def take_down(self):
        """Kills everything that belongs to the lab and frees its ports. Says how many processes there were."""
        killed = set()
        end = time.monotonic() + 20
        while left := self.living() | {pid for pid in killed if not is_zombie(pid)}:
            killed |= left
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            if time.monotonic() > end:
                raise Trouble(f"{self.folder}: processes do not die: {sorted(left)}")
            time.sleep(0.02)
        for path in self.pids.iterdir() if self.pids.exists() else []:
            path.unlink(missing_ok=True)
        (self.folder / "lab.env").unlink(missing_ok=True)
        ports.give_back(self.folder)
        return len(killed)


def is_zombie(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def ancestors():
    """This process and those that it was started by."""
    found, pid = set(), os.getpid()
    while pid > 0 and pid not in found:
        found.add(pid)
        try:
            pid = int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            break
    return found


def wait_for(condition, seconds, what, child=None, log=None):
    """Polls until the condition holds; trouble when a child ends first or time is up."""
    end = time.monotonic() + seconds
    while not condition():
        if child is not None and child.poll() is not None:
            raise Trouble(f"ended with status {child.returncode} while waiting for {what}", log)
        if time.monotonic() > end:
            raise Trouble(f"waited {seconds} s for {what}", log)
        time.sleep(0.05)


def run(command, seconds=30, **options):
    """Runs a command that ends by itself; gives its output."""
    command = [str(word) for word in command]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False, **options)
    except subprocess.TimeoutExpired:
        raise Trouble(f"{' '.join(command)}: no answer within {seconds} s") from None
    if done.returncode:
        said = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise Trouble(f"{' '.join(command)}: status {done.returncode}: {said[-2000:]}")
    return done.stdout.decode(errors="replace")
