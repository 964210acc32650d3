"""Find expressions whose types do not fit, as ClickHouse would: a string compared with a number, `sum` of a string."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from .. import tree
from ..findings import Mistake, Problem
from ..schema import Column
from ..walk import place, texts
from .types import Type

_ORDERS = ("==", "!=", "<", ">", "<=", ">=")
_LIKES = ("like", "ilike", "not like", "not ilike", "regex", "not regex", "=~", "!~", "=~*", "!~*")
_SUMS = re.compile(r"(?:sum|sumKahan|avg|stddev\w+|var(?:Pop|Samp|_pop|_samp)|(?:median|quantile)\w*?)(?:If)?$")
_NUMERIC = frozenset(["round", "floor", "ceil", "abs", "sqrt", "exp", "log", "log2", "log10", "pow", "sign"])
_OF_TIMES = frozenset(
    ["toStartOfDay", "toStartOfHour", "toStartOfMinute", "toStartOfFiveMinutes", "toStartOfTenMinutes",
     "toStartOfFifteenMinutes", "toStartOfWeek", "toStartOfMonth", "toStartOfQuarter", "toStartOfYear",
     "toStartOfISOYear", "toStartOfInterval", "toMonday", "toHour", "toMinute", "toSecond", "toYear", "toQuarter",
     "toMonth", "toDayOfMonth", "toYYYYMM", "toYYYYMMDD", "formatDateTime"]
)  # fmt: skip
"""Functions whose first argument is a date or a time, never a string."""
_OF_TIMES_LATER = {"dateDiff": (1, 2), "date_diff": (1, 2), "dateTrunc": (1,), "date_trunc": (1,)}
_OF_ARRAYS = frozenset(
    ["arrayJoin", "arraySum", "arrayAvg", "arrayMin", "arrayMax", "arrayCumSum", "arrayProduct", "arrayDistinct",
     "arraySort", "arrayReverse", "arrayUniq", "arrayElement", "arraySlice", "has", "hasAny", "hasAll", "indexOf"]
)  # fmt: skip
_OVER_ARRAYS = frozenset(
    ["arrayMap", "arrayFilter", "arrayExists", "arrayAll", "arrayCount", "arrayFirst", "arrayLast", "arraySum",
     "arrayAvg", "arrayMin", "arrayMax"]
)  # fmt: skip
"""Functions of a lambda and arrays."""
_SUMS_OF_ARRAYS = frozenset(["arraySum", "arrayAvg", "arrayCumSum", "arrayProduct"])
_MAKE_ARRAYS = frozenset(["JSONExtractArrayRaw", "JSONExtractKeys", "JSONExtractKeysAndValues",
                          "JSONExtractKeysAndValuesRaw"])  # fmt: skip
_OF_STRINGS = frozenset(["lower", "upper", "substring", "trim", "startsWith", "endsWith", "position", "replaceAll",
                         "replaceOne", "match", "splitByChar", "length"])  # fmt: skip
_TEXTUAL = ("string", "property")
_SINGLE = ("string", "property", "number", "boolean", "date", "datetime")
_ADDED = ("+", "-", "*", "/", "%")


def mismatches(node: tree.Node, types: Sequence[Type]) -> Iterator[Mistake]:
    """Return the mistakes of one node, given the types of the nodes below it."""
    match node:
        case tree.Comparison():
            yield from _comparison(node, types[0], types[1])
        case tree.Between():
            yield from _unequal(node.expr, types[0], node.low, types[1], place(node), equal=False)
        case tree.Arithmetic():
            yield from _arithmetic(node, types[0], types[1])
        case tree.Logical():
            yield from _logical(node, types)
        case tree.Not():
            yield from condition(node.expr, types[0], "NOT")
        case tree.Call():
            yield from _call(node, types[: len(node.args)])
        case tree.ArrayAccess(key=tree.Constant(int() as index)) if index == 0 and not isinstance(index, bool):
            text = shown(node.array)
            yield _mistake("indexes start at 1", place(node.key), (f"{text}[1]" if text else "[1]",))
        case tree.TupleAccess(index=0):
            text = shown(node.tuple)
            yield _mistake("indexes start at 1", place(node), (f"{text}.1" if text else ".1",))
        case tree.Window():
            yield from _range(node, types[len(node.partition_by) :])
        case _:
            pass


def _range(node: tree.Window, types: Sequence[Type]) -> Iterator[Mistake]:
    """Find a range of values in the order of a time, which ClickHouse does not have."""
    bounds = [each for each in (node.frame_start, node.frame_end) if each is not None and each.value is not None]
    if (node.frame_method or "").upper() == "RANGE" and bounds and types and types[0].kind == "datetime":
        message = "RANGE with a number or an interval does not work with times"
        yield _mistake(message, place(node.order_by[0].expr), ("ROWS BETWEEN …",))


def condition(node: tree.Expr, found: Type, clause: str) -> Iterator[Mistake]:
    """Return the mistake of a string used as a condition."""
    if found.kind in _TEXTUAL:
        text = shown(node)
        fixes = (f"{text} IS NOT NULL", f"{text} = 'true'") if found.kind == "property" and text else ()
        yield _mistake(f"{clause} needs a condition; {text or 'this'} is a string", place(node), fixes, found)


def _comparison(node: tree.Comparison, left: Type, right: Type) -> Iterator[Mistake]:
    operator = node.operator.lower()
    if operator in _ORDERS:
        yield from _unequal(node.left, left, node.right, right, place(node), equal=operator in ("==", "!="))
        if {left.kind, right.kind} == {"date", "number"}:
            yield _mistake("a date cannot be compared with a number", place(node), ("toDate('2026-01-31')",))
    elif operator in ("in", "not in") and isinstance(node.right, tree.Select) and left.kind in _SINGLE:
        columns = node.right.columns
        if len(columns) > 1 and not any(isinstance(each, tree.Columns | tree.Placeholder) for each in columns):
            message = f"{operator.upper()} compares one value with {len(columns)} columns"
            yield _mistake(message, place(columns[1]), ("one column in the subquery",))
    elif operator in _LIKES and left.kind in ("number", "date", "datetime"):
        text = shown(node.left)
        message = f"{operator.upper()} needs a string; {text or 'this'} is a {left.kind}"
        yield _mistake(message, place(node), (f"toString({text or '…'})",))


def _unequal(
    one: tree.Expr, left: Type, other: tree.Expr, right: Type, at: int | None, *, equal: bool
) -> Iterator[Mistake]:
    """Return the mistake of two types that cannot be compared."""
    for text, text_type, value, value_type in ((one, left, other, right), (other, right, one, left)):
        if text_type.kind not in _TEXTUAL:
            continue
        if text_type.kind == "string" and isinstance(text, tree.Constant):
            yield from _literal(text, value, value_type)
            continue
        name = shown(text)
        message = f"{name or 'a string'} is a string and cannot be compared with a {value_type.kind}"
        if value_type.kind == "boolean":
            yield _mistake(message, at, (_quoted(name, value),), text_type)
        elif value_type.kind == "number":
            cast = f"toFloat({name or '…'})"
            fixes = (_quoted(name, value), cast) if equal and isinstance(value, tree.Constant) else (cast,)
            yield _mistake(message, at, fixes, text_type)
        elif value_type.kind in ("date", "datetime"):
            cast = "toDate" if value_type.kind == "date" else "toDateTime"
            yield _mistake(message, at, (f"{cast}({name or '…'})",), text_type)


def _quoted(name: str, value: tree.Expr) -> str:
    if not isinstance(value, tree.Constant):
        return f"toFloat({name or '…'})"
    written = str(value.value).lower() if isinstance(value.value, bool) else str(value.value)
    return f"{name or '…'} = '{written}'"


_RELATIVE = {
    "s": "SECOND", "d": "DAY", "h": "HOUR", "w": "WEEK", "m": "MONTH", "q": "QUARTER", "y": "YEAR",
}  # fmt: skip


_AGO = re.compile(
    r"-?(?:now-)?(\d{1,4}) ?(second|minute|min|hour|day|week|month|quarter|year|(?<=\d)[hdwmqy])s?(?: ago)?"
)
"""Forms of a time before now in other tools: `-7d`, `now-7d`, `30 days ago`."""


def _literal(text: tree.Constant, value: tree.Expr, value_type: Type) -> Iterator[Mistake]:
    """Return the mistake of a string such as `'-7d'` that is compared with a time."""
    written = str(text.value).strip()
    relative = _AGO.fullmatch(written.lower())
    is_time = re.match(r"\d", written) and not relative
    if value_type.kind not in ("date", "datetime") or is_time or isinstance(value, tree.Constant):
        return
    if relative:
        unit = relative[2]
        fix = f"now() - INTERVAL {relative[1]} {'MINUTE' if unit.startswith('min') else _RELATIVE[unit[0]]}"
    elif template := re.fullmatch(r"\{+\s*([\w.]+)\s*\}+", written):
        fix = f"{{{template[1]}}}"
    else:
        fix = {"today": "today()", "yesterday": "yesterday()"}.get(written.lower(), "now()" if not written else "")
    fixes = (fix,) if fix else ("now() - INTERVAL 7 DAY", "'2026-01-31'")
    yield _mistake(f"'{written[:60]}' is not a {value_type.kind}", place(text), fixes)


def _arithmetic(node: tree.Arithmetic, left: Type, right: Type) -> Iterator[Mistake]:
    if node.operator not in _ADDED or "interval" in (left.kind, right.kind):
        return
    for one, found, other in ((node.left, left, right), (node.right, right, left)):
        if found.kind in _TEXTUAL and other.kind in ("number", *_TEXTUAL):
            name = shown(one)
            is_text = "string" in (left.kind, right.kind) and node.operator == "+" and other.kind in _TEXTUAL
            fixes = (f"concat({shown(node.left) or '…'}, {shown(node.right) or '…'})",) if is_text else ()
            message = f"{name or 'a string'} is a string; `{node.operator}` needs numbers"
            yield _mistake(message, place(one), (*fixes, f"toFloat({name or '…'})"), found)
            return


def _logical(node: tree.Logical, types: Sequence[Type]) -> Iterator[Mistake]:
    """Return the mistake of a string between AND or OR, often the second value of a comparison."""
    operator = node.operator.upper()
    before: tree.Expr | None = None
    for number, (expr, found) in enumerate(zip(node.exprs, types, strict=False)):
        value = expr
        if operator == "OR" and isinstance(expr, tree.Logical):  # AND binds more closely
            value = expr.exprs[0]
        if isinstance(value, tree.Constant) and isinstance(value.value, str):
            if operator == "OR" or number:
                yield _second_value(before, value, operator)
        elif value is expr:
            yield from condition(expr, found, operator)
        before = expr


def _second_value(before: tree.Expr | None, value: tree.Constant, operator: str) -> Mistake:
    message = f"{operator} needs conditions on both sides; {shown(value)} is a string"
    fixes: tuple[str, ...] = ()
    if isinstance(before, tree.Comparison) and isinstance(before.right, tree.Constant):
        name = shown(before.left) or "…"
        wanted = {("==", "OR"): "IN", ("!=", "AND"): "NOT IN"}.get((before.operator, operator))
        sign = before.operator.upper().replace("==", "=")
        several = f"{name} {wanted} ({shown(before.right)}, {shown(value)})"
        fixes = (several,) if wanted else (f"{name} {sign} {shown(value)}",)
    return _mistake(message, place(value), fixes)


def _call(node: tree.Call, types: Sequence[Type]) -> Iterator[Mistake]:
    name, args = node.name, node.args
    if not args:
        return
    first, at = types[0], place(args[0])
    text = shown(args[0])
    if _SUMS.match(name) or name.lower() in ("sum", "avg"):
        if first.kind in _TEXTUAL:
            message = f"{name} needs numbers; {text or 'this'} is a string"
            cast = f"toFloat({text or '…'})"
            yield _mistake(message, at, (f"{name}({cast})" if len(args) == 1 and node.params is None else cast,), first)
        elif first.kind == "datetime" and name.lower() in ("sum", "sumif"):
            yield _mistake(f"{name} needs numbers; {text or 'this'} is a datetime", at, ("max(…)", "dateDiff(…)"))
        yield from _level(node)
    elif name in _NUMERIC and first.kind in _TEXTUAL:
        message = f"{name} needs a number; {text or 'this'} is a string"
        yield _mistake(message, at, (f"toFloat({text or '…'})",), first)
    elif name.endswith(("OrNull", "OrZero")) and name.startswith("to") and first.kind in ("date", "datetime"):
        plain = name.removesuffix("OrNull").removesuffix("OrZero")
        message = f"{name} needs a string; {text or 'this'} is a {first.kind}"
        yield _mistake(message, at, (f"{plain}({text or '…'})",))
    elif name in ("if", "multiIf") and len(args) > 2:
        yield from condition(args[0], first, name)
    elif name in ("mapKeys", "mapValues") and first.kind in ("json", *_TEXTUAL):
        fix = "JSONExtractKeys" if name == "mapKeys" else "JSONExtractKeysAndValues"
        whole = text if first.kind == "json" else f"ifNull({text or '…'}, '{{}}')"
        yield _mistake(f"{name} needs a Map; {text or 'this'} is JSON text", at, (f"{fix}({whole})",), first)
    elif name in _OF_STRINGS and first.kind in ("number", "date", "datetime"):
        message = f"{name} needs a string; {text or 'this'} is a {first.kind}"
        yield _mistake(message, at, (f"toString({text or '…'})",))
    else:
        yield from _of_time(node, types)
        yield from _of_array(node, types)


def _of_time(node: tree.Call, types: Sequence[Type]) -> Iterator[Mistake]:
    for index in (0,) if node.name in _OF_TIMES else _OF_TIMES_LATER.get(node.name, ()):
        if index < len(types) and types[index].kind in _TEXTUAL:
            text = shown(node.args[index])
            unit = node.args[index]
            if isinstance(unit, tree.Constant) and str(unit.value).lower() in _UNITS:
                others = [shown(arg) or "…" for arg in node.args if arg is not unit]
                fix = f"{node.name}({', '.join([text, *others])})"
                yield _mistake(f"the unit is the first argument of {node.name}", place(node), (fix,))
                return
            message = f"{node.name} needs a date or a time; {text or 'this'} is a string"
            yield _mistake(message, place(node.args[index]), (f"toDateTime({text or '…'})",), types[index])
            return


_UNITS = frozenset(["second", "minute", "hour", "day", "week", "month", "quarter", "year"])


def not_a_person(field: tree.Field, column: Column, operator: str, other: tree.Expr) -> Iterator[Mistake]:
    """Find the id of a person compared with something else, often a distinct id or an email address."""
    if (column.name, column.table) not in (("person_id", "events"), ("id", "persons"), ("uuid", "events")):
        return
    for text, at in texts(other):
        if re.fullmatch(r"(?i)[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}", text):
            continue
        message = f"'{text[:60]}' is not a UUID, which {shown(field)} is"
        sign = {"==": "=", "in": "="}.get(operator, operator)
        fix = f"distinct_id {sign} '{text[:60]}'" if column.name == "person_id" and sign in ("=", "!=") else ""
        yield _mistake(message, at, (fix,) if fix else ())
        return


def _of_array(node: tree.Call, types: Sequence[Type]) -> Iterator[Mistake]:
    name = node.name
    if name in _MAKE_ARRAYS or (name == "JSONExtract" and _wants_array(node)):
        if types[0].kind == "property" and types[0].nullable:
            empty = "[]" if "Array" in name or name == "JSONExtract" else "{}"
            text = shown(node.args[0])
            message = f"{name} cannot return an array here, because {text or 'its argument'} can be null"
            yield _mistake(message, place(node.args[0]), (f"ifNull({text or '…'}, '{empty}')",))
        return
    index = 1 if name in _OVER_ARRAYS and isinstance(node.args[0], tree.Lambda) else 0
    if index >= len(types) or (name not in _OF_ARRAYS and not (index and name in _OVER_ARRAYS)):
        return
    found, array = types[index], node.args[index]
    if found.kind in _TEXTUAL:
        text = shown(array)
        message = f"{name} needs an array; {text or 'this'} is a string"
        whole = f"ifNull({text}, '[]')" if found.kind == "property" else text or "…"
        yield _mistake(message, place(array), (f"JSONExtractArrayRaw({whole})",))
    item = types[0] if index else found.item if found.kind == "array" else None
    if name in _SUMS_OF_ARRAYS and item is not None and item.kind in _TEXTUAL:
        inner = _inner(array if not index else node.args[0])
        yield _mistake(f"{name} needs numbers", place(array), (f"ifNull(toFloat({inner}), 0)",), item)
    elif name in _SUMS_OF_ARRAYS and item is not None and item.nullable and item.kind in ("number", "null"):
        message = f"{name} cannot add values that can be null"
        inner = _inner(array if not index else node.args[0])
        yield _mistake(message, place(array), (f"ifNull({inner}, 0)",))


def _inner(node: tree.Expr) -> str:
    """Return the text of the expression that can be null: the body of a lambda, or an item of an array."""
    match node:
        case tree.Lambda():
            return shown(node.expr) or "…"
        case tree.Call("arrayMap", (tree.Lambda() as body, *_)):
            return shown(body.expr) or "…"
        case tree.Call("groupArray", (first,)) | tree.Array((first, *_)):
            return shown(first) or "…"
        case _:
            return "…"


def _wants_array(node: tree.Call) -> bool:
    last = node.args[-1]
    return (
        len(node.args) == 2
        and isinstance(last, tree.Constant)
        and isinstance(last.value, str)
        and last.value.startswith("Array(")
    )


def _level(node: tree.Call) -> Iterator[Mistake]:
    """Find the level of a quantile among its arguments."""
    levels = [arg for arg in node.args if isinstance(arg, tree.Constant) and isinstance(arg.value, int | float)]
    if node.params is None and len(node.args) == 2 and len(levels) == 1 and node.name.startswith("quantile"):
        (other,) = [arg for arg in node.args if arg is not levels[0]]
        fix = f"{node.name}({levels[0].value})({shown(other) or '…'})"
        yield _mistake(f"the level of {node.name} has its own parentheses", place(node), (fix,))


def shown(node: tree.Expr) -> str:
    """Return the text of a short expression, empty for others."""
    match node:
        case tree.Field():
            return ".".join(written(str(part)) for part in node.chain)
        case tree.Constant(str() as text):
            return "'" + text.replace("\\", "\\\\").replace("'", "''")[:60] + "'"
        case tree.Constant(bool() | int() | float() as value):
            return str(value).lower()
        case tree.Call() if len(node.args) < 3 and node.params is None and not node.distinct:
            args = [shown(arg) for arg in node.args]
            return f"{node.name}({', '.join(args)})" if all(args) else ""
        case _:
            return ""


def written(name: str) -> str:
    """Return a name as it is written in a chain."""
    return name if re.fullmatch(r"[A-Za-z_$][\w$]*|\*|\d+", name, re.ASCII) else f"`{name}`"


def _mistake(message: str, at: int | None, fixes: tuple[str, ...], found: Type | None = None) -> Mistake:
    known = found.property if found is not None and found.kind == "property" else None
    return Mistake(Problem("hogql_query_error", message, at, fixes, "type"), known)
