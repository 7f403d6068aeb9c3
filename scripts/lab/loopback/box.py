"""The box: a QEMU guest that plays a real machine, with a console server. The BMC switches it on."""

import json
import pathlib
import shutil
import socket
import sys

from . import cpio, image, keys
from .core import Trouble, find_program, run, wait_for

PORTS = 2  # ssh, console
APPEND = "console=ttyS0,115200n8 panic=5"
# The suites reserve memory up to 3 GiB.
MEBIBYTES = 3072
DISK = "1G"

START = """\
#!/bin/sh
# What the BMC runs at power on. It is a child of the BMC and dies with it.
echo $$ >{pids}/box
exec setpriv --pdeathsig KILL {qemu} -name {folder},process=qemu-box \\
    -machine pc,accel=tcg -cpu max -smp 2 -m {memory} -nodefaults -no-user-config -display none -vga none \\
    -kernel {folder}/vmlinuz -initrd {folder}/initrd.img -append '{append}' \\
    -chardev socket,id=console,path={folder}/serial.sock,reconnect=1 -serial chardev:console \\
    -qmp unix:{folder}/qmp.sock,server=on,wait=off \\
    -drive if=virtio,file={folder}/disk.img,format=raw,cache=unsafe \\
    -netdev user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{ssh_port}-:22 -device virtio-net-pci,netdev=net,romfile= \\
    -chardev socket,id=bmc,host=127.0.0.1,port={bmc_port},reconnect=1 -device ipmi-bmc-extern,id=bmc0,chardev=bmc \\
    -device isa-ipmi-kcs,bmc=bmc0 -device virtio-rng-pci </dev/null >>{logs}/box.log 2>&1
"""


def prepare(lab, ports, bmc_port):
    """Makes kernel, initramfs, disk and start script, and starts the console server. `bmc_port`: where the BMC waits for the box."""
    kernel, release, base = image.ensure()
    folder = lab.folder / "box"
    folder.mkdir(exist_ok=True)
    authorized = keys.make(folder / "id_ed25519")
    host_key = dropbear_key(folder / "host_key")
    shutil.copy(kernel, folder / "vmlinuz")
    own = cpio.Archive()
    own.add("root/.ssh/authorized_keys", authorized + "\n", 0o600)
    own.copy(folder / "host_key", "etc/dropbear/host_key", 0o600)
    # The kernel takes archives that follow each other for one.
    (folder / "initrd.img").write_bytes(base.read_bytes() + own.packed())
    make_disk(folder)
    lab.write("box/start", START.format(folder=folder, pids=lab.pids, logs=lab.logs, qemu=find_program("qemu-system-x86_64"),
                                        memory=MEBIBYTES, append=APPEND, ssh_port=ports[0], bmc_port=bmc_port), 0o700)
    lab.env.update({
        "BOX_SSH_HOST": "127.0.0.1", "BOX_SSH_PORT": ports[0], "BOX_SSH_USER": "root", "BOX_SSH_IDENTITY": folder / "id_ed25519",
        "BOX_HOST_KEY": host_key, "BOX_CONSOLE_HOST": "127.0.0.1", "BOX_CONSOLE_PORT": ports[1], "BOX_CONSOLE_LOG": lab.log("console"),
        "BOX_QMP": folder / "qmp.sock",
        # These three are paths inside the box.
        "BOX_INITRD": "/boot/initrd.img", "BOX_KERNEL": "/boot/vmlinuz", "BOX_STATE_DIR": "/var/lib/orchestrator",
        "BOX_APPEND": APPEND, "BOX_UNAME": release, "BOX_DEFAULT_UNAME": f"{'.'.join(release.split('.')[:2])}.*-cloud-amd64"})
    start_console(lab)


def start_console(lab):
    port = int(lab.env["BOX_CONSOLE_PORT"])
    server = lab.spawn("console", [sys.executable, "-B", pathlib.Path(__file__).with_name("console.py"),
                                   lab.folder / "box/serial.sock", port, lab.log("console")])
    wait_for(lambda: keys.is_open(port), 10, "the console server", server, lab.log("console"))


def dropbear_key(path):
    """Makes the box's host key unless there is one; gives its public half."""
    if not path.exists():
        run([find_program("dropbearkey"), "-t", "ed25519", "-f", path])
    for line in run([find_program("dropbearkey"), "-y", "-f", path]).splitlines():
        if line.startswith("ssh-ed25519 "):
            return " ".join(line.split()[:2])
    raise Trouble(f"dropbearkey says no public key of {path}")


def make_disk(folder):
    """A new disk: /boot with the default kernel and the initramfs, and an empty stable storage."""
    content = folder / "disk"
    shutil.rmtree(content, ignore_errors=True)
    (content / "orchestrator").mkdir(parents=True)
    (content / "boot").mkdir()
    for name in ("vmlinuz", "initrd.img"):
        (content / "boot" / name).hardlink_to(folder / name)
    disk = folder / "disk.img"
    disk.unlink(missing_ok=True)
    run([find_program("mke2fs"), "-q", "-t", "ext4", "-m", "0", "-L", "box-01", "-E",
         "root_owner=0:0,lazy_itable_init=1,lazy_journal_init=1", "-d", content, disk, DISK])
    shutil.rmtree(content)


def ssh(lab, *command, seconds=30):
    """Runs a command in the box; gives its output."""
    return run([*ssh_command(lab), *command], seconds)


def ssh_command(lab):
    return keys.client(lab.folder / "box", int(lab.env["BOX_SSH_PORT"]), "root", lab.env["BOX_HOST_KEY"], lab.env["BOX_SSH_IDENTITY"])


def qmp(lab, command):
    """One command to QEMU itself: `stop` is a machine that hangs, `cont` lets it go on."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        try:
            connection.connect(str(lab.env["BOX_QMP"]))
        except OSError as error:
            raise Trouble(f"the box is off: {error}") from None
        lines = connection.makefile("rw", encoding="utf-8")
        lines.readline()
        for name in ("qmp_capabilities", command):
            lines.write(json.dumps({"execute": name}) + "\n")
            lines.flush()
            while "event" in (answer := json.loads(lines.readline())):
                pass
            if "error" in answer:
                raise Trouble(f"QEMU refuses {name}: {answer['error']}")
