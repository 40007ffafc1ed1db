"""Frames of the row protocol (docs/protocol.md) over a Unix stream socket, with waits that can be cancelled.

Every length that comes from the service is checked before use; anything out of order raises ProtocolError and the
connection must be dropped.
"""
import ctypes
import select
import socket
import struct
import time

from .gen import wire

HEADER = struct.Struct("<IBBHQ")
# How long one wait may last before the backend's cancel flag is looked at, seconds.
SLICE = 0.05


class ServiceError(Exception):
    """An ERROR frame, or a connection that cannot be had.

    str() tells all in one text, for Multicorn; multicorn2 takes message, detail and hint from the attributes it knows.
    """

    _is_multicorn_exception = True
    code = 3  # ERROR, in the numbers of multicorn.utils

    def __init__(self, sqlstate, message, detail="", hint=""):
        self.sqlstate = sqlstate
        self.message = "%s (SQLSTATE %s)" % (message, sqlstate)
        self.detail = detail or None
        self.hint = hint or None
        parts = [self.message]
        if detail:
            parts.append("DETAIL: " + detail)
        if hint:
            parts.append("HINT: " + hint)
        super().__init__("\n".join(parts))


class ConnectionLost(ServiceError):
    """The service went away; what was asked of it may be asked again on a new connection."""

    def __init__(self, message):
        super().__init__("08006", "connection to the linuxsql service lost: %s" % message)


class ProtocolError(ServiceError):
    """The service broke the protocol."""

    def __init__(self, message):
        super().__init__("08P01", "linuxsql service: " + message)


def _interrupt_flags():
    """The backend's requests to end this statement or itself (miscadmin.h); none where this Python runs elsewhere."""
    try:
        backend = ctypes.CDLL(None)
        return [ctypes.c_int.in_dll(backend, name) for name in ("QueryCancelPending", "ProcDiePending")]
    except (ValueError, OSError):
        return []


class Frames:
    """One connection. Not thread-safe: a backend has one thread."""

    def __init__(self, path, timeout):
        self._interrupts = _interrupt_flags()
        self._timeout = timeout
        self._buffer = bytearray()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        try:
            self._connect(path)
        except BaseException:
            self._socket.close()
            raise

    def _connect(self, path):
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                return self._socket.connect(path)
            except BlockingIOError:  # the queue of the listener is full
                time.sleep(SLICE)
                self._check(deadline)
            except OSError as failure:
                raise ServiceError(
                    "08001",
                    "could not reach the linuxsql service",
                    "Socket %s: %s." % (path, failure.strerror or failure),
                    "Start it with `linuxsql up`.",
                ) from failure

    def close(self):
        self._socket.close()

    def _check(self, deadline):
        if any(flag.value for flag in self._interrupts):
            raise ServiceError("57014", "canceling linuxsql scan due to an interrupt")
        if time.monotonic() > deadline:
            raise ServiceError("08006", "the linuxsql service did not answer in %g s" % self._timeout)

    def _wait(self, for_write):
        """Until the socket is ready. A service that dribbles bytes cannot keep a cancel from being seen."""
        deadline = time.monotonic() + self._timeout
        read, write = ([], [self._socket]) if for_write else ([self._socket], [])
        ready = False
        while not ready:
            ready = any(select.select(read, write, [], SLICE))
            self._check(deadline)

    def send(self, kind, request, payload=b""):
        data = memoryview(HEADER.pack(len(payload), kind, 0, 0, request) + payload)
        while data:
            try:
                data = data[self._socket.send(data):]
            except BlockingIOError:
                self._wait(True)
            except OSError as failure:
                raise ConnectionLost(failure) from failure

    def send_now(self, kind, request, payload=b""):
        """Sends a small frame without ever waiting; false if that cannot be done and the connection must be dropped."""
        data = HEADER.pack(len(payload), kind, 0, 0, request) + payload
        try:
            return self._socket.send(data) == len(data)
        except OSError:
            return False

    def _fill(self, size):
        while len(self._buffer) < size:
            try:
                piece = self._socket.recv(1 << 18)
            except BlockingIOError:
                self._wait(False)
                continue
            except OSError as failure:
                raise ConnectionLost(failure) from failure
            if not piece:
                raise ConnectionLost("closed by the service")
            self._buffer += piece

    def receive(self):
        """The next frame as (type, request, payload bytes); unknown optional types are skipped."""
        deadline = time.monotonic() + self._timeout
        while True:
            self._check(deadline)
            self._fill(HEADER.size)
            length, kind, flags, stream, request = HEADER.unpack_from(self._buffer)
            if length > wire.MAX_FRAME_BYTES or stream != 0:
                raise ProtocolError("bad frame header")
            self._fill(HEADER.size + length)
            payload = bytes(self._buffer[HEADER.size:HEADER.size + length])
            del self._buffer[:HEADER.size + length]
            if kind == wire.FRAME_TYPE_NOTICE or (flags & 1 and kind not in KNOWN):
                continue
            if kind not in KNOWN:
                raise ProtocolError("unknown frame type %d" % kind)
            return kind, request, payload


KNOWN = {value for name, value in vars(wire).items() if name.startswith("FRAME_TYPE_")}


class Reader:
    """Reads the fields of one payload, bounds checked."""

    def __init__(self, payload):
        self._payload = payload
        self._at = 0

    def take(self, size):
        end = self._at + size
        if end > len(self._payload):
            raise ProtocolError("frame too short")
        piece = self._payload[self._at:end]
        self._at = end
        return piece

    def number(self, code):
        return struct.unpack("<" + code, self.take(struct.calcsize("<" + code)))[0]

    def text(self):
        try:
            return self.take(self.number("I")).decode("utf-8")
        except UnicodeDecodeError as failure:
            raise ProtocolError("text that is not UTF-8") from failure


def text_field(text):
    data = text.encode("utf-8")
    return struct.pack("<I", len(data)) + data
