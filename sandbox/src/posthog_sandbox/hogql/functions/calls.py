"""Compile function calls: those with a special meaning in HogQL, and all others through the allow-list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hogql_lang import tree
from hogql_lang.functions import is_known

from .. import escape
from ..errors import query_error, relocated
from ..scope import Environment, SelectScope, TableSource
from ..syntax.parser import parse_expression
from ..times import is_date, now, time_literal
from ..values import BOOLEAN, DATE, DATETIME, STRING, UNKNOWN, Fragment, Type
from .allowed import COMPARISONS
from .casts import cast_to
from .macros import expand, macro_names
from .registry import Function, find_function, unknown_function, with_filter
from .surveys import survey_response, unique_submissions
from .zones import best_effort, make_date_time, parse_date_time, to_date_time_64, to_time_zone, uuid_time

type Special = Callable[[tree.Call, Environment], Fragment]


def compile_call(node: tree.Call, environment: Environment) -> Fragment:
    """Return a call of a function or an aggregate. Raises `HogqlError` for a name that is not on the allow-list."""
    if not is_known(node.name):
        raise unknown_function(node.name, _SPECIAL_NAMES | macro_names(), node.span)
    folded = node.name.lower()
    special = _SPECIAL.get(folded)
    if special is not None:
        _plain(node)
        fewest, most, compile_special = special
        Function(node.name, fewest, most, "unknown", "", "function").check_count(len(node.args), node.name, node.span)
        return compile_special(node, environment)
    operator = _COMPARISONS.get(folded)
    if operator is not None:
        _plain(node)
        Function(node.name, 2, 2, "unknown", "", "function").check_count(len(node.args), node.name, node.span)
        return environment.compile(tree.Comparison(operator, node.args[0], node.args[1], node.span))
    written_out = expand(node)
    if written_out is not None:
        return environment.compile(written_out)
    function = find_function(node.name)
    if function is None:
        raise unknown_function(node.name, _SPECIAL_NAMES | macro_names(), node.span)
    if function.family == "aggregate":
        return _aggregate(function, node, environment)
    if function.family == "window":
        raise query_error(f"Window function '{node.name}' needs an OVER clause.", node.span)
    _plain(node)
    return call(function, node.name, _compiled(node.args, environment), node)


def compile_window_call(node: tree.WindowCall, over: str, environment: Environment) -> Fragment:
    """Return `f(...) over ...` for aggregates and window functions; `over` is the compiled window."""
    function = find_function(node.name) if is_known(node.name) else None
    if function is None:
        raise unknown_function(node.name, frozenset(), node.span)
    if function.family == "function":
        raise query_error(f"'{node.name}' is neither an aggregation nor a window function.", node.span)
    args = () if _counts_rows(function, node.args) else _compiled(node.args, environment)
    function.check_count(len(args), node.name, node.span)
    params = _params(node.params, environment)
    return Fragment(f"{function.name}{params}({_joined(args)}) OVER {over}", function.result_type(args))


def call(function: Function, shown_name: str, args: tuple[Fragment, ...], node: tree.Call) -> Fragment:
    """Return the call of an allowed function with compiled arguments."""
    function.check_count(len(args), shown_name, node.span)
    return Fragment(f"{function.name}({_joined(args)})", _arithmetic_type(function, args))


def _aggregate(function: Function, node: tree.Call, environment: Environment) -> Fragment:
    if environment.in_aggregate is not None:
        message = f"Aggregation '{node.name}' cannot be nested inside another aggregation '{environment.in_aggregate}'."
        raise query_error(message, node.span)
    inside = replace(environment, in_aggregate=node.name)
    args = () if _counts_rows(function, node.args) else _compiled(node.args, inside)
    function.check_count(len(args), node.name, node.span)
    distinct = "DISTINCT " if node.distinct else ""
    shown = function
    if node.filter is not None:
        shown = with_filter(function, node.distinct)
        distinct = ""
        args = (*args, inside.compile(node.filter))
    params = _params(node.params, environment)
    return Fragment(f"{shown.name}{params}({distinct}{_joined(args)})", shown.result_type(args))


def _counts_rows(function: Function, args: tuple[tree.Expr, ...]) -> bool:
    """Return whether the call counts rows: `count(*)` or `count(e.*)`."""
    return function.name == "count" and len(args) == 1 and isinstance(args[0], tree.Field) and args[0].chain[-1] == "*"


def _params(params: tuple[tree.Expr, ...] | None, environment: Environment) -> str:
    return "" if params is None else f"({_joined(_compiled(params, environment))})"


def _compiled(args: tuple[tree.Expr, ...], environment: Environment) -> tuple[Fragment, ...]:
    return tuple([environment.compile(arg) for arg in args])


def _joined(args: tuple[Fragment, ...]) -> str:
    return ", ".join([arg.sql for arg in args])


def _plain(node: tree.Call) -> None:
    if node.params is not None or node.distinct or node.filter is not None:
        raise query_error(
            f"'{node.name}' is not an aggregation: it takes no parameters, DISTINCT or FILTER.", node.span
        )


def _arithmetic_type(function: Function, args: tuple[Fragment, ...]) -> Type:
    if function.name in ("plus", "minus"):
        return sum_type(args[0].type, args[1].type)
    return function.result_type(args)


def sum_type(left: Type, right: Type) -> Type:
    """Return the type of `left + right` and `left - right`; times move by intervals and by days."""
    nullable = left.nullable or right.nullable
    for time, other in ((left, right), (right, left)):
        if time.kind in ("date", "datetime") and other.kind not in ("date", "datetime"):
            return Type(time.kind, nullable)
    if left.kind == right.kind == "interval":
        return left
    return Type("unknown", nullable)


def _now(node: tree.Call, environment: Environment) -> Fragment:
    return now(environment.context)


def _today(node: tree.Call, environment: Environment) -> Fragment:
    return Fragment(f"toDate({now(environment.context).sql})", DATE)


def _yesterday(node: tree.Call, environment: Environment) -> Fragment:
    return Fragment(f"minus(toDate({now(environment.context).sql}), 1)", DATE)


def _to_date_time(node: tree.Call, environment: Environment) -> Fragment:
    """Return `toDateTime(text)`, read in the project's timezone or the given one; invalid text gives null."""
    text = node.args[0]
    context = environment.context
    value = environment.compile(text)
    if len(node.args) > 1:
        timezone = environment.compile(node.args[1]).sql
    else:
        timezone = escape.string(context.timezone)
        if isinstance(text, tree.Constant) and isinstance(text.value, str):
            constant = time_literal(text.value.strip(), context.timezone)
            if constant is not None:
                return constant
    if value.type.kind == "string":
        return Fragment(f"parseDateTime64BestEffortOrNull({value.sql}, 6, {timezone})", DATETIME.or_null())
    return Fragment(f"toDateTime({value.sql}, {timezone})", replace(DATETIME, nullable=value.type.nullable))


def _to_date(node: tree.Call, environment: Environment) -> Fragment:
    text = node.args[0]
    if isinstance(text, tree.Constant) and isinstance(text.value, str) and is_date(text.value.strip()):
        return Fragment(f"toDate({escape.string(text.value.strip())})", DATE)
    value = environment.compile(text)
    if value.type.kind == "string":
        return Fragment(f"toDateOrNull({value.sql})", DATE.or_null())
    return Fragment(f"toDate({value.sql})", replace(DATE, nullable=value.type.nullable))


def _to_start_of_week(node: tree.Call, environment: Environment) -> Fragment:
    value = environment.compile(node.args[0])
    mode = (
        environment.compile(node.args[1]).sql if len(node.args) > 1 else "3" if environment.context.week_start else "0"
    )
    return Fragment(f"toStartOfWeek({value.sql}, {mode})", replace(DATE, nullable=value.type.nullable))


def _date_add(node: tree.Call, environment: Environment) -> Fragment:
    """Return `dateAdd('day', 1, x)` or `dateAdd(x, interval 1 day)`, or the same forms of `dateSub`."""
    sign = "plus" if node.name.lower().endswith("add") else "minus"
    if len(node.args) == 2:
        moment, interval = environment.compile(node.args[0]), environment.compile(node.args[1])
    else:
        unit = node.args[0]
        moment = environment.compile(node.args[2])
        amount = environment.compile(node.args[1])
        if not isinstance(unit, tree.Constant) or str(unit.value).lower().rstrip("s") not in _UNITS:
            units = ", ".join(_UNITS)
            raise query_error(f"The unit of {node.name} must be one of these, in quotes: {units}.", unit.span)
        interval = Fragment(f"toInterval{str(unit.value).lower().rstrip('s').capitalize()}({amount.sql})", UNKNOWN)
    return Fragment(f"{sign}({moment.sql}, {interval.sql})", moment.type)


_UNITS = ("second", "minute", "hour", "day", "week", "month", "quarter", "year")


def _concat(node: tree.Call, environment: Environment) -> Fragment:
    """Return the concatenation of the arguments, with null as empty text."""
    args = _compiled(node.args, environment)
    if all(arg.type.kind == "array" for arg in args):
        return Fragment(f"arrayConcat({_joined(args)})", args[0].type)
    parts = [
        arg.sql if arg.type.kind == "string" and not arg.type.nullable else f"ifNull(toString({arg.sql}), '')"
        for arg in args
    ]
    return Fragment(f"concat({', '.join(parts)})", STRING)


def _case(node: tree.Call, environment: Environment) -> Fragment:
    """Return CASE x WHEN a THEN b ... ELSE z END, in the parser's form."""
    subject, *pairs = node.args
    otherwise = pairs.pop()
    arms: list[tree.Expr] = []
    for when, then in zip(pairs[::2], pairs[1::2], strict=True):
        arms += [tree.Comparison("==", subject, when), then]
    return environment.compile(tree.Call("multiIf", (*arms, otherwise), span=node.span))


def _exists(node: tree.Call, environment: Environment) -> Fragment:
    query = node.args[0]
    if not isinstance(query, tree.Select | tree.SetQuery):
        raise query_error("EXISTS needs a subquery.", node.span)
    return Fragment(f"exists({environment.query(query).sql})", BOOLEAN)


def _cast_call(node: tree.Call, environment: Environment) -> Fragment:
    target = node.args[1]
    if not isinstance(target, tree.Constant) or not isinstance(target.value, str):
        raise query_error(f"The second argument of {node.name} must be the name of a type, in quotes.", target.span)
    safe = node.name.lower() == "accuratecastornull"
    return cast_to(environment.compile(node.args[0]), target.value, safe, environment.context, target.span)


def _converted(type_name: str) -> Special:
    def convert(node: tree.Call, environment: Environment) -> Fragment:
        return cast_to(environment.compile(node.args[0]), type_name, True, environment.context, node.span)

    return convert


def _rewritten(rewrite: Callable[[tree.Call], tree.Expr]) -> Special:
    return lambda node, environment: environment.compile(rewrite(node))


def _to_decimal(node: tree.Call, environment: Environment) -> Fragment:
    value = environment.compile(node.args[0])
    scale = node.args[1] if len(node.args) > 1 else tree.Constant(2)
    if not isinstance(scale, tree.Constant) or not isinstance(scale.value, int):
        raise query_error("The second argument of toDecimal must be a number of digits.", node.span)
    return cast_to(value, f"Decimal(18, {scale.value})", True, environment.context, node.span)


def _array_reduce(node: tree.Call, environment: Environment) -> Fragment:
    """Return `arrayReduce('sum', list)`; its first argument must name an aggregation on the allow-list."""
    name = node.args[0]
    function = find_function(name.value) if isinstance(name, tree.Constant) and isinstance(name.value, str) else None
    if function is None or function.family != "aggregate":
        raise query_error("The first argument of arrayReduce must be the name of an aggregation, in quotes.", name.span)
    args = _compiled(node.args[1:], environment)
    return Fragment(f"arrayReduce({escape.string(function.name)}, {_joined(args)})", UNKNOWN)


def _matches_action(node: tree.Call, environment: Environment) -> Fragment:
    action = node.args[0]
    resolve = environment.context.actions
    if not isinstance(action, tree.Constant) or not isinstance(action.value, int | str):
        raise query_error("The argument of matchesAction must be the id or the name of an action.", node.span)
    text = None if resolve is None else resolve(action.value)
    if text is None:
        reason = "Actions are not available here" if resolve is None else f"Could not find an action {action.value!r}"
        raise query_error(f"{reason}.", action.span)
    with relocated(f"action {action.value}", action.span):
        return _on_events(environment, node).compile(parse_expression(text))


def _on_events(environment: Environment, node: tree.Call) -> Environment:
    """Return the environment in which names mean the events of this SELECT, even if it joins other tables."""
    sources = environment.scope.sources
    events = next((each for each in sources if isinstance(each, TableSource) and each.table.name == "events"), None)
    if events is None:
        raise query_error("matchesAction can only be used on events.", node.span)
    return replace(environment, scope=SelectScope(sources=[events]), ctes={}, arguments={})


_SPECIAL: dict[str, tuple[int, int | None, Special]] = {
    "now": (0, 0, _now),
    "now64": (0, 2, _now),
    "nowinblock": (0, 1, _now),
    "current_timestamp": (0, 0, _now),
    "today": (0, 0, _today),
    "current_date": (0, 0, _today),
    "yesterday": (0, 0, _yesterday),
    "todatetime": (1, 2, _to_date_time),
    "todatetimeus": (1, 2, best_effort(us=True)),
    "todatetime64": (1, 3, to_date_time_64),
    "parsedatetime": (2, 3, parse_date_time),
    "parsedatetimeornull": (2, 3, parse_date_time),
    "parsedatetimebesteffort": (1, 2, best_effort(us=False)),
    "parsedatetimebesteffortornull": (1, 2, best_effort(us=False)),
    "parsedatetimebesteffortus": (1, 2, best_effort(us=True)),
    "totimezone": (1, 2, to_time_zone),
    "make_timestamp": (6, 7, make_date_time),
    "makedatetime": (6, 7, make_date_time),
    "uuidv7todatetime": (1, 2, uuid_time),
    "todate": (1, 1, _to_date),
    "to_date": (1, 1, _to_date),
    "_todate": (1, 1, _to_date),
    "tostartofweek": (1, 2, _to_start_of_week),
    "dateadd": (2, 3, _date_add),
    "date_add": (2, 3, _date_add),
    "datesub": (2, 3, _date_add),
    "date_sub": (2, 3, _date_add),
    "date_subtract": (2, 3, _date_add),
    "timestampadd": (2, 3, _date_add),
    "timestampsub": (2, 3, _date_add),
    "concat": (1, None, _concat),
    "_casewithexpression": (4, None, _case),
    "exists": (1, 1, _exists),
    "cast": (2, 2, _cast_call),
    "accuratecast": (2, 2, _cast_call),
    "accuratecastornull": (2, 2, _cast_call),
    "toint": (1, 1, _converted("Int64")),
    "tofloat": (1, 1, _converted("Float64")),
    "touuid": (1, 1, _converted("UUID")),
    "todecimal": (1, 2, _to_decimal),
    "arrayreduce": (2, None, _array_reduce),
    "matchesaction": (1, 1, _matches_action),
    "getsurveyresponse": (1, 3, _rewritten(survey_response)),
    "uniquesurveysubmissionsfilter": (1, 3, _rewritten(unique_submissions)),
}
_SPECIAL_NAMES = frozenset({
    "now", "today", "yesterday", "toDateTime", "toDate", "toStartOfWeek", "dateAdd", "dateSub", "concat", "cast",
    "toInt", "toFloat", "toUUID", "toDecimal", "arrayReduce", "matchesAction", "toDateTime64", "toDateTimeUS",
    "parseDateTime", "parseDateTimeBestEffort", "toTimeZone", "getSurveyResponse", "uniqueSurveySubmissionsFilter",
    *COMPARISONS,
})  # fmt: skip
_COMPARISONS = {name.lower(): operator for name, operator in COMPARISONS.items()}
