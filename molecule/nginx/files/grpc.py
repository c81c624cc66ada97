"""A gRPC app as small as it gets: every message of a call comes back as it is, at once; standard library only.

Nothing of a request's header is read but which call it is for; of an answer all is said in literals (RFC 7541, 6.2.2).
Calls on one connection take turns, as nginx sends them.
"""

import socketserver
import sys

DATA, HEADERS, SETTINGS, PING = 0, 1, 4, 6
END_STREAM, ACK, END_HEADERS = 0x1, 0x1, 0x4


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def fields(**values):
    pairs = [(name.replace("__", ":").replace("_", "-").encode(), value) for name, value in values.items()]
    return b"".join(b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value for name, value in pairs)


class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        self.rfile.read(24)
        self.say(SETTINGS, 0, 0)
        while len(head := self.rfile.read(9)) == 9:
            kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big")
            payload = self.rfile.read(int.from_bytes(head[:3], "big"))
            if kind in (SETTINGS, PING) and not flags & ACK:
                self.say(kind, ACK, 0, payload if kind == PING else b"")
            elif kind == HEADERS:
                self.say(HEADERS, END_HEADERS, stream, fields(__status=b"200", content_type=b"application/grpc"))
            elif kind == DATA:
                self.say(DATA, 0, stream, payload)
            if kind in (HEADERS, DATA) and flags & END_STREAM:
                self.say(HEADERS, END_HEADERS | END_STREAM, stream, fields(grpc_status=b"0"))

    def say(self, *parts):
        self.wfile.write(frame(*parts))
        self.wfile.flush()


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = allow_reuse_address = True


Server(("127.0.0.1", int(sys.argv[1])), Echo).serve_forever()
