"""GRUB for the box, from Debian's packages; nothing of the host's own GRUB is touched."""

import pathlib

from . import image
from .core import Trouble, find_program, run

# As Debian's grub-mkconfig writes it, no more than the box needs.
CONFIGURATION = """\
serial --unit=0 --speed=115200
terminal_output serial
set timeout=0
set default=0
load_env
if [ "${{next_entry}}" ]; then
    set default="${{next_entry}}"
    set next_entry=
    save_env next_entry
fi
menuentry "default kernel" {{
    linux /boot/vmlinuz {append}
    initrd /boot/initrd.img
}}
menuentry "{entry}" {{
    linux /boot/orchestrator-test $orchestrator_cmdline
    initrd /boot/orchestrator-test.img
}}
"""
ENTRY = "orchestrator test kernel"
MODULES = ("biosdisk", "ext2", "normal", "linux", "loadenv", "test", "echo", "serial", "terminal", "minicmd")
FOLDER = pathlib.Path("/usr/lib/grub/i386-pc")
LIBRARY = pathlib.Path("/usr/share/grub/grub-mkconfig_lib")


def make(folder):
    """GRUB in the form of a Linux kernel, which QEMU starts as it is."""
    start = FOLDER / "lnxboot.img"
    if not start.exists():
        raise Trouble("GRUB is not installed: apt-get install --no-install-recommends grub-common grub2-common grub-pc-bin")
    core = folder / "core.img"
    run([find_program("grub-mkimage"), "-O", "i386-pc", "-d", FOLDER, "-p", "(hd0)/boot/grub", "-o", core, *MODULES])
    (folder / "grub.lnx").write_bytes(start.read_bytes() + core.read_bytes())


def configure(boot, append):
    """Menu and environment block, on the box's disk below /boot."""
    (boot / "grub").mkdir()
    (boot / "grub/grub.cfg").write_text(CONFIGURATION.format(append=append, entry=ENTRY), encoding="utf-8")
    run([find_program("grub-editenv"), boot / "grub/grubenv", "create"])


def add_tools(archive):
    """What a running system switches entries with."""
    for name, place in (("grub-editenv", "usr/bin"), ("grub-probe", "usr/sbin")):
        program = find_program(name)
        archive.copy(program, f"{place}/{name}", 0o755)
        for library in image.libraries(program):
            archive.copy(library, mode=0o755)
    archive.copy(find_program("grub-reboot"), "usr/sbin/grub-reboot", 0o755)
    archive.copy(LIBRARY, str(LIBRARY).lstrip("/"), 0o644)
