"""Multicorn quals to the protocol's qual tree.

Multicorn evaluates every qual again on the rows it gets, so a qual that is left out costs time, never correctness; one
that is pushed must never drop a row the backend would keep. Hence text is pushed only for equality, inequality, lists
and prefixes, which do not depend on a (deterministic) collation. Multicorn does not tell the types of an operator: a
comparison through a cast to another kind of text (`name::citext = 'X'`, a non-deterministic collation) looks the same
as an exact one, and finds exact matches only.
"""
import re
import struct

from .frames import text_field
from .gen import wire

OPERATORS = {
    "=": wire.QUAL_OPERATOR_EQ,
    "<>": wire.QUAL_OPERATOR_NE,
    "<": wire.QUAL_OPERATOR_LT,
    "<=": wire.QUAL_OPERATOR_LE,
    ">": wire.QUAL_OPERATOR_GT,
    ">=": wire.QUAL_OPERATOR_GE,
}
INTEGERS = (wire.COLUMN_TYPE_BOOL, wire.COLUMN_TYPE_INT4, wire.COLUMN_TYPE_INT8)
I64 = range(-(1 << 63), 1 << 63)
INTEGER = re.compile(r"-?[0-9]{1,19}\Z")
MAX_LIST = 10000


def integer_of(value):
    """Multicorn hands over integers, or text for those types it does not know (bigint, smallint, boolean)."""
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str):
        if value in ("t", "f"):
            return int(value == "t")
        if INTEGER.match(value):
            return int(value)
    return None


def encode_value(kind, value):
    """One typed value, or None when it cannot be expressed for a column of this kind.

    Floating point as text stays with the backend: extra_float_digits may have rounded it.
    """
    if kind in INTEGERS:
        number = integer_of(value)
        return struct.pack("<Bq", wire.VALUE_TAG_INT, number) if number is not None and number in I64 else None
    if kind == wire.COLUMN_TYPE_FLOAT8 and isinstance(value, (int, float)):
        return struct.pack("<Bd", wire.VALUE_TAG_FLOAT, float(value))
    if kind == wire.COLUMN_TYPE_TEXT and isinstance(value, str) and "\0" not in value:
        return struct.pack("<B", wire.VALUE_TAG_TEXT) + text_field(value)
    return None


def like_prefix(pattern):
    """The literal beginning of a LIKE pattern."""
    prefix = []
    characters = iter(pattern)
    for character in characters:
        if character in "%_":
            break
        if character == "\\":
            character = next(characters, "")
        prefix.append(character)
    return "".join(prefix)


def _encode_list(index, kind, values):
    encoded = [encode_value(kind, value) for value in values if value is not None]
    if len(encoded) > MAX_LIST or any(value is None for value in encoded):
        return None
    return struct.pack("<BHH", wire.QUAL_TAG_IN, index, len(encoded)) + b"".join(encoded)


def encode_qual(qual, index, kind):
    """One node for a Multicorn Qual on column `index`, or None when it stays with the backend."""
    operator, value = qual.operator, qual.value
    if isinstance(operator, tuple):
        symbol, is_any = operator
        if symbol == "=" and is_any and isinstance(value, (list, tuple)):
            return _encode_list(index, kind, value)
        return None
    if value is None:
        if operator == "=":
            return struct.pack("<BH", wire.QUAL_TAG_IS_NULL, index)
        if operator == "<>":
            return struct.pack("<BH", wire.QUAL_TAG_IS_NOT_NULL, index)
        return None
    if kind == wire.COLUMN_TYPE_TEXT:
        if operator == "~~" and isinstance(value, str):
            prefix = like_prefix(value)
            if prefix and "\0" not in prefix:
                return struct.pack("<BH", wire.QUAL_TAG_PREFIX, index) + encode_value(kind, prefix)
        if operator not in ("=", "<>"):
            return None
    encoded = encode_value(kind, value)
    if operator not in OPERATORS or encoded is None:
        return None
    return struct.pack("<BBH", wire.QUAL_TAG_COMPARE, OPERATORS[operator], index) + encoded


def encode_tree(quals, columns):
    """The qual tree of a conjunction. `columns` maps a name to (index, column type)."""
    nodes = []
    for qual in quals:
        if qual.field_name in columns:
            node = encode_qual(qual, *columns[qual.field_name])
            if node is not None:
                nodes.append(node)
    if not nodes:
        return struct.pack("<B", wire.QUAL_TAG_TRUE), 0
    return struct.pack("<BH", wire.QUAL_TAG_AND, len(nodes)) + b"".join(nodes), len(nodes)
