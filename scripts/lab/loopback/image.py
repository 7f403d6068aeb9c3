"""What the box boots: Debian's kernel for virtual machines and an initramfs with busybox, dropbear and kexec.

The kernel package is downloaded and unpacked into the cache, never installed: installing one would change the host's boot
loader. Any installed one is left alone, too, so that every lab boots the same."""

import fcntl
import hashlib
import pathlib
import platform
import re
import shutil
import tempfile

from . import cpio
from .core import Trouble, cache, find_program, run

# Small, and made for this hardware: virtio and ext4 are all that the box needs.
METAPACKAGE = "linux-image-cloud-amd64"
MODULES = ("virtio_ring", "virtio", "virtio_pci", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_blk", "virtio_net",
           "net_failover", "failover", "virtio-rng", "rng-core")
INITTAB = """\
::sysinit:/etc/rc
::respawn:/usr/sbin/dropbear -F -s -j -k -p 22 -r /etc/dropbear/host_key
ttyS0::askfirst:-/bin/sh
::ctrlaltdel:/sbin/reboot
::shutdown:/bin/sync
::shutdown:/bin/umount -a -r
"""


def ensure():
    """(kernel image, its release, initramfs without keys), made unless they are in the cache."""
    if platform.machine() != "x86_64":
        raise Trouble(f"the box is made of this host's programs for x86_64, and the host is {platform.machine()}")
    folder = cache() / "lab-box"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kernel = folder / "kernel"
        if not (kernel / "boot").is_dir():
            fetch_kernel(kernel)
        image, = (kernel / "boot").glob("vmlinuz-*")
        release = image.name.removeprefix("vmlinuz-")
        programs = {name: find_program(name) for name in ("busybox", "dropbear", "kexec")}
        return image, release, base(folder, kernel, release, programs)


def fetch_kernel(target):
    """Downloads the kernel package that the metapackage stands for, and unpacks it."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="kernel.") as work:
        work = pathlib.Path(work)
        for name in ("lists/partial", "apt/archives/partial"):
            (work / name).mkdir(parents=True)
        options = ["-o", "APT::Sandbox::User=root"]
        try:
            download(options, work)
        except Trouble:
            # A fresh system has no package lists; fetching them for this alone changes nothing of the host.
            options += ["-o", f"Dir::State::Lists={work}/lists", "-o", f"Dir::Cache={work}/apt"]
            run(["apt-get", "-q", *options, "update"], 300)
            download(options, work)
        package, = work.glob("linux-image-*.deb")
        run(["dpkg-deb", "-x", package, work / "unpacked"], 120)
        if not list((work / "unpacked/boot").glob("vmlinuz-*")):
            raise Trouble(f"{package.name} holds no kernel")
        target_new = target.with_name("kernel.new")
        shutil.rmtree(target_new, ignore_errors=True)
        (work / "unpacked").rename(target_new)
        shutil.rmtree(target, ignore_errors=True)
        target_new.rename(target)


def download(options, work):
    depends = run(["apt-cache", *options, "depends", METAPACKAGE])
    found = re.search(r"Depends: (linux-image-\S+)", depends)
    if not found:
        raise Trouble(f"{METAPACKAGE} depends on no kernel: {depends}")
    run(["apt-get", "-q", *options, "download", found[1]], 600, cwd=work)


def base(folder, kernel, release, programs):
    """The initramfs without what belongs to one lab."""
    scripts = {"etc/rc": pathlib.Path(__file__).with_name("box-rc").read_text(encoding="utf-8"), "etc/inittab": INITTAB}
    key = hashlib.sha256(repr((release, sorted(scripts.items()), MODULES)).encode())
    for source in (*programs.values(), __file__, cpio.__file__):
        key.update(pathlib.Path(source).read_bytes())
    path = folder / f"base-{key.hexdigest()[:16]}.cpio.gz"
    if not path.exists():
        archive = cpio.Archive()
        for name in ("proc", "sys", "dev", "tmp", "run", "mnt/disk", "boot", "var/lib/orchestrator", "var/log", "root", "etc/dropbear"):
            archive.folder(name)
        archive.folder("root/.ssh", 0o700)
        archive.device("dev/console", 5, 1)
        archive.device("dev/null", 1, 3)
        archive.copy(programs["busybox"], "bin/busybox", 0o755)
        for applet in run([programs["busybox"], "--list"]).split():
            if applet != "busybox":
                archive.link(f"bin/{applet}", "busybox")
        for name in ("init", "sbin/init", "sbin/reboot", "sbin/poweroff", "sbin/modprobe", "sbin/insmod", "sbin/rmmod"):
            archive.link(name, "/bin/busybox")
        for name in ("dropbear", "kexec"):
            archive.copy(programs[name], f"usr/sbin/{name}", 0o755)
            for library in libraries(programs[name]):
                archive.copy(library, mode=0o755)
        for name, text in scripts.items():
            archive.add(name, text, 0o755)
        archive.add("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
        archive.add("etc/group", "root:x:0:\n")
        archive.add("etc/shells", "/bin/sh\n")
        archive.add("etc/hostname", "box-01\n")
        archive.add("etc/profile", "export PATH=/usr/sbin:/usr/bin:/sbin:/bin PS1='box-01# '\n")
        add_modules(archive, kernel, release, programs["busybox"])
        new = path.with_suffix(".new")
        new.write_bytes(archive.packed())
        new.rename(path)
    return path


def libraries(program):
    """The shared libraries of a program and the loader, as the loader finds them."""
    listed = run(["ldd", program])
    return sorted(set(re.findall(r"(/\S+) \(0x", listed)))


def add_modules(archive, kernel, release, busybox):
    """The modules that the box needs, with an index for modprobe."""
    with tempfile.TemporaryDirectory() as root:
        top = pathlib.Path(root) / "lib/modules" / release
        for path in sorted((kernel / "lib/modules" / release).rglob("*.ko*")):
            if path.name.partition(".ko")[0] in MODULES:
                copy = top / path.relative_to(kernel / "lib/modules" / release)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, copy)
        top.mkdir(parents=True, exist_ok=True)
        run([busybox, "depmod", "-b", root, release])
        for path in sorted(top.rglob("*")):
            if path.is_file():
                archive.copy(path, str(path.relative_to(root)), 0o644)
