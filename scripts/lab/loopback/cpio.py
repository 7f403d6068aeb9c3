"""Writes an initramfs: cpio in the form `newc`, all files root's, so that no root is needed to make it."""

import gzip
import os
import stat


class Archive:
    def __init__(self):
        self.entries = {}

    def folder(self, name, mode=0o755):
        parent = os.path.dirname(name)
        if parent and parent not in self.entries:
            self.folder(parent)
        self.entries.setdefault(name, (stat.S_IFDIR | mode, b"", (0, 0)))

    def add(self, name, content, mode=0o644):
        self.folder(os.path.dirname(name)) if os.path.dirname(name) else None
        self.entries[name] = (stat.S_IFREG | mode, content.encode() if isinstance(content, str) else content, (0, 0))

    def copy(self, path, name=None, mode=None):
        """Takes a file of the host, under its own path unless told otherwise."""
        with open(path, "rb") as file:
            self.add(name or str(path).lstrip("/"), file.read(), mode or stat.S_IMODE(os.stat(path).st_mode) & 0o755)

    def link(self, name, target):
        self.folder(os.path.dirname(name)) if os.path.dirname(name) else None
        self.entries[name] = (stat.S_IFLNK | 0o777, target.encode(), (0, 0))

    def device(self, name, major, minor):
        self.folder(os.path.dirname(name))
        self.entries[name] = (stat.S_IFCHR | 0o600, b"", (major, minor))

    def packed(self):
        """The archive, gzip around it; the same bytes for the same entries."""
        out = bytearray()
        listed = [*self.entries.items(), ("TRAILER!!!", (0, b"", (0, 0)))]
        for number, (name, (mode, content, device)) in enumerate(listed, 1):
            path = name.encode() + b"\0"
            fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(path), 0)
            out += b"070701" + b"".join(b"%08X" % field for field in fields) + path
            out += bytes(-len(out) % 4) + content
            out += bytes(-len(out) % 4)
        return gzip.compress(bytes(out), 6, mtime=0)
