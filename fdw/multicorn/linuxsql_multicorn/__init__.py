"""LinuxSQL through Multicorn or multicorn2: the same relations, over the same protocol, for sites that have it.

    create extension multicorn;
    create server vm1 foreign data wrapper multicorn options (
      wrapper 'linuxsql_multicorn.LinuxSqlForeignDataWrapper', machine 'vm1', socket '/run/linuxsql/introspect.sock');
    import foreign schema linux from server vm1 into public;
    -- or: create foreign table … server vm1 options (relation 'processes')

What it cannot do that the C wrapper can: Multicorn evaluates every qual again, passes on no OR, pushes LIMIT only
without WHERE (multicorn2), and a wait is looked at for cancellation every 50 ms. Errors arrive as XX000 with the real
SQLSTATE in their text. Multicorn does not tell that a statement wants a whole row: where it names columns too, as in
`select row_to_json(p) from processes p where p.pid = 1`, the row shows nulls for the columns not named.
"""
from multicorn import ColumnDefinition, ForeignDataWrapper, TableDefinition
from multicorn.utils import WARNING, log_to_postgres

from .frames import ConnectionLost, ServiceError
from .gen import wire
from .quals import encode_tree
from .service import DONE_TRUNCATED, Service

TYPE_NAMES = {
    wire.COLUMN_TYPE_BOOL: "boolean",
    wire.COLUMN_TYPE_INT4: "integer",
    wire.COLUMN_TYPE_INT8: "bigint",
    wire.COLUMN_TYPE_FLOAT8: "double precision",
    wire.COLUMN_TYPE_TEXT: "text",
    wire.COLUMN_TYPE_TIMESTAMPTZ: "timestamptz",
}
# Bytes per row that the planner is told, by column type.
WIDTH = {wire.COLUMN_TYPE_BOOL: 1, wire.COLUMN_TYPE_INT4: 4, wire.COLUMN_TYPE_TEXT: 24}
# Rows expected of a look-up by key.
KEY_ROWS = 10

_services = {}


def service_for(options):
    """The backend's connection to the service these server or table options name."""
    path = options.get("socket")
    if not path:
        raise ServiceError("HV00J", "option socket is missing", "", "Name the socket of the introspect service.")
    service = _services.get(path)
    if service is None or service.broken:
        service = _services[path] = Service(path)
    return service


def note(options, failure):
    """Drops the connection after a failure that leaves its state unknown."""
    if failure.sqlstate[:2] == "08" or failure.sqlstate == "57014":
        service = _services.pop(options.get("socket"), None)
        if service is not None:
            service.close()


def ask(options, use):
    """use(service), once more on a new connection if the old one had gone away in the meantime."""
    for known in (options.get("socket") in _services, False):
        try:
            return use(service_for(options))
        except ServiceError as failure:
            note(options, failure)
            if not (known and isinstance(failure, ConnectionLost)):
                raise
    raise AssertionError("unreachable")


def machine_of(options):
    machine = options.get("machine")
    if not machine:
        raise ServiceError("HV00J", "option machine is missing")
    return machine


class LinuxSqlForeignDataWrapper(ForeignDataWrapper):
    """One foreign table; option relation names its relation."""

    def __init__(self, options, columns):
        super().__init__(options, columns)
        self.options = options
        self.machine = machine_of(options)
        self.relation = ask(options, self._find)
        unknown = [column for column in columns if column not in self.relation.index]
        if unknown:
            raise ServiceError("HV005", "relation %s has no column %s" % (self.relation.name, unknown[0]))

    def _find(self, service):
        """The relation as this connection's service has it."""
        name = self.options.get("relation")
        relation = service.catalogue(self.machine).get(name)
        if relation is None:
            raise ServiceError("HV00R", "there is no relation %r" % name)
        return relation

    def end_scan(self):
        service = _services.get(self.options.get("socket"))
        if service is not None:
            service.end_scan()

    def _end(self):
        service = _services.get(self.options.get("socket"))
        if service is not None:
            service.end_transaction()

    commit = rollback = _end

    def get_rel_size(self, quals, columns):
        rows = self.relation.rows
        if self._keyed(quals):
            rows = min(rows, KEY_ROWS)
        elif quals:
            rows = max(1, rows / 3)
        return int(rows), sum(WIDTH.get(self.relation.index[name][1], 8) for name in columns)

    def _keyed(self, quals):
        equal = {qual.field_name for qual in quals if qual.operator in ("=", ("=", True)) and qual.value is not None}
        return any(set(key) <= equal for key in self.relation.keys)

    def get_path_keys(self):
        return [(tuple(key), KEY_ROWS) for key in self.relation.keys]

    def can_sort(self, sortkeys):
        if len(sortkeys) != 1:
            return []
        key = sortkeys[0]
        kind = self.relation.index.get(key.attname, (0, None))[1]
        if kind == wire.COLUMN_TYPE_TEXT or (key.attname, bool(key.is_reversed)) not in self.relation.orders:
            return []
        return [key]

    def can_limit(self, limit, offset):
        return offset in (None, 0)

    def execute(self, quals, columns, sortkeys=None, limit=None, **_):
        sort = None
        if sortkeys:
            sort = (sortkeys[0].attname, bool(sortkeys[0].is_reversed), bool(sortkeys[0].nulls_first))
        bound = -1 if limit is None else int(limit)

        def start(service):
            relation = self._find(service)
            wanted = [name for name in columns or relation.index if name in relation.index]
            view = service.view(self.machine)
            tree, _ = encode_tree(quals, relation.index)
            return service.scan(self.machine, relation, wanted, tree, sort, bound, view)

        try:
            flags = yield from ask(self.options, start)
        except ServiceError as failure:
            note(self.options, failure)
            raise
        if flags & DONE_TRUNCATED:
            log_to_postgres('relation "%s" is incomplete' % self.relation.name, WARNING)

    def explain(self, quals, columns, sortkeys=None, verbose=False):
        _, pushed = encode_tree(quals, self.relation.index)
        yield "LinuxSQL relation: %s of %s" % (self.relation.name, self.machine)
        yield "LinuxSQL quals pushed: %d of %d" % (pushed, len(quals))
        if sortkeys:
            yield "LinuxSQL order: %s%s" % (sortkeys[0].attname, " desc" if sortkeys[0].is_reversed else "")

    def _read_only(self, *_):
        raise ServiceError("0A000", "relation %s cannot be written" % self.relation.name)

    insert = update = delete = _read_only

    @property
    def rowid_column(self):
        return self.relation.columns[0][0]

    @classmethod
    def import_schema(cls, schema, srv_options, options, restriction_type, restricts):
        if schema != "linux":
            raise ServiceError("HV00Q", "there is no foreign schema %r" % schema, "", "The schema is named linux.")
        catalogue = ask(srv_options, lambda service: service.catalogue(machine_of(srv_options)))
        tables = []
        for relation in catalogue.values():
            listed = relation.name in restricts
            if (restriction_type == "limit" and not listed) or (restriction_type == "except" and listed):
                continue
            columns = [ColumnDefinition(name, type_name=TYPE_NAMES[kind]) for name, kind in relation.columns]
            tables.append(TableDefinition(relation.name, columns=columns, options={"relation": relation.name}))
        return tables
