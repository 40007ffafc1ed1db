"""The connection of this backend to the introspect service: catalogue, views and scans."""
import collections
import ctypes
import datetime
import struct

from .frames import Frames, ProtocolError, Reader, ServiceError, text_field
from .gen import wire

# Flag of DONE: a bounded walk was cut short.
DONE_TRUNCATED = 1
_EPOCH = datetime.datetime(2000, 1, 1, tzinfo=datetime.timezone.utc)


class Relation:
    """One relation of the SCHEMA answer."""

    def __init__(self, reader):
        self.name = reader.text()
        self.doc = reader.text()
        self.rows = reader.number("d")
        self.columns = []
        for _ in range(reader.number("H")):
            name, kind, _nullable = reader.text(), reader.number("B"), reader.number("B")
            reader.text()
            self.columns.append((name, kind))
        names = [name for name, _ in self.columns]
        try:
            self.keys = [
                [names[reader.number("H")] for _ in range(reader.number("H"))] for _ in range(reader.number("H"))
            ]
            self.orders = [(names[reader.number("H")], bool(reader.number("B"))) for _ in range(reader.number("H"))]
        except IndexError as failure:
            raise ProtocolError("a key names no column") from failure
        self.index = {name: (at, kind) for at, (name, kind) in enumerate(self.columns)}


def statement_identity():
    """A number that changes with each statement of the backend (xact.h), or None outside a backend."""
    try:
        function = ctypes.CDLL(None).GetCurrentStatementStartTimestamp
    except (AttributeError, OSError):
        return None
    function.restype = ctypes.c_int64
    function.argtypes = []
    return function()


# XactIsoLevel from which on a transaction keeps one snapshot (IsolationUsesXactSnapshot of xact.h).
XACT_REPEATABLE_READ = 2


def one_snapshot():
    """Whether this transaction sees one instant throughout. (Multicorn's begin() tells of serializable alone.)"""
    try:
        return ctypes.c_int.in_dll(ctypes.CDLL(None), "XactIsoLevel").value >= XACT_REPEATABLE_READ
    except (ValueError, OSError):
        return False


class _Scan:
    """A scan under way: frames that arrived while another answer was waited for."""

    def __init__(self, machine):
        self.machine = machine
        self.frames = collections.deque()


class Service:
    """One connection; the adapter keeps one per socket path in a backend. Several scans may be open on it."""

    def __init__(self, path, timeout=30.0):
        self.path = path
        self.broken = False
        self._next = 0
        self._catalogues = {}
        self._views = {}
        self._scans = {}
        self._ended = False
        self._frames = Frames(path, timeout)
        hello = struct.pack("<IHH", wire.HELLO_MAGIC, wire.PROTOCOL_VERSION, wire.PROTOCOL_VERSION)
        try:
            kind, payload = self._ask(wire.FRAME_TYPE_HELLO, hello + text_field("linuxsql_multicorn"))
            if kind != wire.FRAME_TYPE_WELCOME or Reader(payload).number("H") != wire.PROTOCOL_VERSION:
                raise ProtocolError("no welcome of version %d" % wire.PROTOCOL_VERSION)
        except BaseException:
            self.close()
            raise

    def close(self):
        self.broken = True
        self._frames.close()

    def _request(self):
        self._next += 1
        return self._next

    def _receive(self, request):
        """The next frame of a request. Frames of other scans are kept for them, those of scans given up are dropped."""
        kept = self._scans[request].frames if request in self._scans else ()
        while True:
            if kept:
                kind, payload = kept.popleft()
            else:
                kind, about, payload = self._frames.receive()
                if about != request:
                    self._keep(about, kind, payload)
                    continue
            if kind == wire.FRAME_TYPE_ERROR:
                reader = Reader(payload)
                state = reader.take(5).decode("ascii", "replace")
                raise ServiceError(state, reader.text(), reader.text(), reader.text())
            return kind, payload

    def _keep(self, request, kind, payload):
        if request > self._next:
            raise ProtocolError("answer to a request never made")
        scan = self._scans.get(request)
        if scan is None:
            return
        if len(scan.frames) > wire.INITIAL_CREDIT:
            raise ProtocolError("more batches than were asked for")
        scan.frames.append((kind, payload))

    def _ask(self, kind, payload):
        request = self._request()
        self._frames.send(kind, request, payload)
        return self._receive(request)

    def _tell(self, kind, request, payload=b""):
        """Sends without waiting, for clean-up; a connection that cannot take it is dropped, which ends the same things."""
        if not self.broken and not self._frames.send_now(kind, request, payload):
            self.close()

    def catalogue(self, machine):
        """Relation name → Relation, asked once per machine."""
        if machine not in self._catalogues:
            kind, payload = self._ask(wire.FRAME_TYPE_SCHEMA, text_field(machine))
            if kind != wire.FRAME_TYPE_SCHEMA:
                raise ProtocolError("no schema")
            reader = Reader(payload)
            relations = [Relation(reader) for _ in range(reader.number("H"))]
            self._catalogues[machine] = {relation.name: relation for relation in relations}
        return self._catalogues[machine]

    def view(self, machine):
        """The instant this statement (or, repeatable read and above, this transaction) reads.

        A cursor left open keeps its instant, which later statements of the transaction then share.
        """
        identity = "transaction" if one_snapshot() else statement_identity()
        held = self._views.get(machine)
        if held is not None and (held[0] in (identity, "transaction") or self._scanning(machine)):
            return held[1]
        self._release(machine)
        if identity is None:
            return 0
        kind, payload = self._ask(wire.FRAME_TYPE_VIEW_OPEN, text_field(machine))
        if kind != wire.FRAME_TYPE_VIEW:
            raise ProtocolError("no view")
        view = Reader(payload).number("Q")
        self._views[machine] = (identity, view)
        return view

    def _scanning(self, machine):
        return any(scan.machine == machine for scan in self._scans.values())

    def _release(self, machine):
        held = self._views.pop(machine, None)
        if held is not None:
            self._tell(wire.FRAME_TYPE_VIEW_CLOSE, self._request(), struct.pack("<Q", held[1]))

    def end_scan(self):
        """A scan node of the executor has ended; with the last scan, the statement's view is let go."""
        self._ended = True
        self._release_idle()

    def _release_idle(self):
        for machine in [name for name, held in self._views.items() if held[0] != "transaction"]:
            if not self._scanning(machine):
                self._release(machine)

    def end_transaction(self):
        """Gives up every scan and view. (After an error Multicorn never ends the scans that it had begun.)"""
        for request in list(self._scans):
            self._tell(wire.FRAME_TYPE_CANCEL, request)
        self._scans.clear()
        for machine in list(self._views):
            self._release(machine)

    def scan(self, machine, relation, columns, tree, sort=None, limit=-1, view=0):
        """Rows as dictionaries of the columns asked for; returns the flags of DONE. Closing the generator cancels the scan."""
        wanted = [(name,) + relation.index[name] for name in columns]
        decoder = RowDecoder(wanted)
        payload = text_field(machine) + text_field(relation.name)
        payload += struct.pack("<QIqH", view, wire.INITIAL_CREDIT, limit, len(wanted))
        payload += b"".join(struct.pack("<H", at) for _, at, _ in wanted)
        if sort is None:
            payload += struct.pack("<H", 0)
        else:
            name, descending, nulls_first = sort
            payload += struct.pack("<HHBB", 1, relation.index[name][0], descending, nulls_first)
        request = self._request()
        self._ended = False
        self._scans[request] = _Scan(machine)
        try:
            self._frames.send(wire.FRAME_TYPE_OPEN, request, payload + tree)
            while True:
                kind, payload = self._receive(request)
                if kind == wire.FRAME_TYPE_DONE:
                    self._scans.pop(request, None)
                    return done_flags(payload)
                if kind != wire.FRAME_TYPE_DATA:
                    raise ProtocolError("frame type %d inside a scan" % kind)
                self._frames.send(wire.FRAME_TYPE_CREDIT, request, struct.pack("<I", 1))
                yield from decoder.rows(payload)
        except ServiceError:
            self._scans.pop(request, None)
            raise
        finally:
            if self._scans.pop(request, None) is not None:
                self._tell(wire.FRAME_TYPE_CANCEL, request)
                if self._ended:
                    self._release_idle()


def done_flags(payload):
    reader = Reader(payload)
    reader.take(24)
    return reader.number("I")


class RowDecoder:
    """DATA payloads to dictionaries, for one list of (name, column, type); offsets and lengths as in docs/protocol.md."""

    def __init__(self, wanted):
        words = (len(wanted) + 63) // 64
        self._names = [name for name, _, _ in wanted]
        slots = "".join(SLOT_CODES.get(kind, "q") for _, _, kind in wanted)
        self._row = struct.Struct("<II%dQ%s" % (words, slots))
        self._first = 2 + words
        self._converted = [(at, CONVERTERS[kind]) for at, (_, _, kind) in enumerate(wanted) if kind in CONVERTERS]

    def rows(self, payload):
        if len(payload) < 8:
            raise ProtocolError("short batch")
        at = 8
        for _ in range(struct.unpack_from("<I", payload)[0]):
            if at + self._row.size > len(payload):
                raise ProtocolError("row beyond its batch")
            fields = self._row.unpack_from(payload, at)
            length = fields[0]
            if length % 8 or length < self._row.size or at + length > len(payload):
                raise ProtocolError("bad row length")
            yield dict(zip(self._names, self._values(payload, at, fields)))
            at += length

    def _values(self, payload, row, fields):
        values = list(fields[self._first:])
        nulls = sum(word << 64 * number for number, word in enumerate(fields[2:self._first]))
        for at, convert in self._converted:
            if not nulls >> at & 1:
                values[at] = convert(values[at], payload, row, fields[0])
        if nulls:
            values = [None if nulls >> at & 1 else value for at, value in enumerate(values)]
        return values


def text_of(slot, payload, row, length):
    offset, size = slot & 0xFFFFFFFF, slot >> 32
    if offset % 4 or offset + 4 + size > length:
        raise ProtocolError("text beyond its row")
    start = row + offset + 4
    piece = payload[start:start + size]
    if 0 in piece:
        raise ProtocolError("text that holds a NUL")
    try:
        return piece.decode("utf-8")
    except UnicodeDecodeError as failure:
        raise ProtocolError("text that is not UTF-8") from failure


def moment(microseconds, *_):
    """A timestamptz, microseconds from 2000-01-01 UTC, as PostgreSQL's input reads it; its infinities are the extremes."""
    if abs(microseconds) >= (1 << 63) - 1:
        return "infinity" if microseconds > 0 else "-infinity"
    try:
        return (_EPOCH + datetime.timedelta(microseconds=microseconds)).isoformat()
    except OverflowError as failure:
        raise ProtocolError("a time out of range") from failure


SLOT_CODES = {wire.COLUMN_TYPE_TEXT: "Q", wire.COLUMN_TYPE_FLOAT8: "d"}
CONVERTERS = {
    wire.COLUMN_TYPE_TEXT: text_of,
    wire.COLUMN_TYPE_BOOL: lambda slot, *_: bool(slot),
    wire.COLUMN_TYPE_TIMESTAMPTZ: moment,
}
