"""The box's serial console server, a program of its own: SOCKET PORT LOG.

QEMU's own TCP console serves one client. Here any number see the same console, as with a console server of a lab: the BMC's
serial over LAN, labgrid, a person, a test; all is logged; and it stays when the box's power is cycled."""

import contextlib
import os
import selectors
import socket
import sys

# What a client that does not read may fall behind before it misses something.
LIMIT = 4 << 20


class Hub:
    def __init__(self, path, port, log):
        self.selector = selectors.DefaultSelector()
        self.log = open(log, "ab", buffering=0)
        self.guest = None
        self.behind = {}
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        guests = socket.socket(socket.AF_UNIX)
        guests.bind(path)
        clients = socket.create_server(("127.0.0.1", port))
        for server, accept in ((guests, self.accept_guest), (clients, self.accept_client)):
            server.listen(16)
            server.setblocking(False)
            self.selector.register(server, selectors.EVENT_READ, lambda server, _, accept=accept: accept(server.accept()[0]))

    def accept_guest(self, connection):
        if self.guest is not None:
            self.close(self.guest)
        # Blocking on purpose: QEMU always reads, at the speed of the guest.
        self.guest = connection
        self.selector.register(connection, selectors.EVENT_READ, self.from_guest)

    def accept_client(self, connection):
        connection.setblocking(False)
        self.behind[connection] = bytearray()
        self.selector.register(connection, selectors.EVENT_READ, self.with_client)

    def close(self, connection):
        with contextlib.suppress(KeyError):
            self.selector.unregister(connection)
        connection.close()
        self.behind.pop(connection, None)
        if connection is self.guest:
            self.guest = None

    def from_guest(self, connection, _):
        data = receive(connection)
        if data is None:
            self.close(connection)
            return
        self.log.write(data)
        for client, behind in list(self.behind.items()):
            behind += data
            if len(behind) > LIMIT:
                del behind[:-LIMIT]
            self.flush(client)

    def with_client(self, client, events):
        if events & selectors.EVENT_READ:
            data = receive(client)
            if data is None:
                self.close(client)
                return
            if self.guest is not None and data:
                with contextlib.suppress(OSError):
                    self.guest.settimeout(1)
                    self.guest.sendall(data)
        if events & selectors.EVENT_WRITE:
            self.flush(client)

    def flush(self, client):
        behind = self.behind[client]
        try:
            del behind[:client.send(behind)]
        except BlockingIOError:
            pass
        except OSError:
            self.close(client)
            return
        self.selector.modify(client, selectors.EVENT_READ | (selectors.EVENT_WRITE if behind else 0), self.with_client)

    def serve(self):
        while True:
            for key, events in self.selector.select():
                # An earlier event of this round may have closed it.
                if key.fileobj.fileno() >= 0:
                    key.data(key.fileobj, events)


def receive(connection):
    """Bytes, or None at the end."""
    try:
        return connection.recv(65536) or None
    except (BlockingIOError, InterruptedError):
        return b""
    except OSError:
        return None


if __name__ == "__main__":
    Hub(sys.argv[1], int(sys.argv[2]), sys.argv[3]).serve()
