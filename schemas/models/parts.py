"""The parts that PostHog's queries share: filters of properties, series, breakdowns, ranges."""

from collections.abc import Iterator, Mapping

from ..json import as_list, is_list, is_object
from .check import (
    Check,
    Model,
    anything,
    date,
    each,
    flag,
    keyed,
    listed,
    nearest,
    number,
    shift,
    text,
    whole,
    word,
)
from .flaw import Flaw, within

OPERATORS = (
    *("exact", "is_not", "icontains", "not_icontains", "regex", "not_regex", "gt", "gte", "lt", "lte", "min", "max"),
    *("between", "not_between", "in", "not_in", "is_set", "is_not_set"),
    *("is_date_exact", "is_date_before", "is_date_after", "is_cleaned_path_exact", "flag_evaluates_to"),
    *("semver_eq", "semver_neq", "semver_gt", "semver_gte", "semver_lt", "semver_lte"),
    *("semver_tilde", "semver_caret", "semver_wildcard", "icontains_multi", "not_icontains_multi"),
)
_WITHOUT_VALUE = ("is_set", "is_not_set")
FILTER_TYPES = ("event", "person", "session", "cohort", "group", "hogql", "element", "event_metadata", "feature")
_OTHER_TYPES = (
    *("meta", "internal_event", "recording", "log_entry", "log", "log_attribute", "log_resource_attribute", "span"),
    *("data_warehouse", "data_warehouse_person_property", "error_tracking_issue", "revenue_analytics"),
)
"""Types that need no `group_type_index` or other field of their own."""
_ELEMENT_KEYS = ("tag_name", "text", "href", "selector")
_PLACE_OF_GROUP = "of a group needs `group_type_index`, from 0 to 4"

INTERVALS = word("second", "minute", "hour", "day", "week", "month")
GROUP_INDEX = word(0, 1, 2, 3, 4, "0", "1", "2", "3", "4")
MATHS_OF_PROPERTY = ("avg", "sum", "min", "max", "median", "p75", "p90", "p95", "p99")
MATHS_PER_ACTOR = tuple(f"{one}_count_per_actor" for one in ("avg", "min", "max", "median", "p75", "p90", "p95", "p99"))
_MATHS = (
    *("total", "dau", "weekly_active", "monthly_active", "unique_session", "unique_group", "hogql"),
    *("first_time_for_user", "first_matching_event_for_user", "first_time_for_user_with_filters"),
    *MATHS_OF_PROPERTY,
    *MATHS_PER_ACTOR,
)
BREAKDOWN_TYPES = (
    *("event", "person", "group", "session", "cohort", "hogql", "event_metadata"),
    *("data_warehouse", "data_warehouse_person_property", "revenue_analytics"),
)
MODIFIERS = anything
"""Tuning of PostHog's, which changes with its versions."""
TAGS = anything
DATE_RANGE = Model("dateRange", {**each(date, "date_from date_to"), "explicitDate": flag})
COMPARE = Model("compareFilter", {"compare": flag, "compare_to": shift})
GOAL_LINES = listed(
    Model(
        "a goal line",
        each(text, "label borderColor position") | each(flag, "displayLabel displayIfCrossed") | {"value": number},
    )
)
CUSTOMIZATIONS = keyed(Model("a customization", each(text, "color assignmentBy") | {"hidden": flag}))
LEGEND = word("top", "bottom", "left", "right")
DISPLAYS = word(
    *("Auto", "ActionsLineGraph", "ActionsBar", "ActionsUnstackedBar", "ActionsStackedBar", "ActionsAreaGraph"),
    *("ActionsLineGraphCumulative", "BoldNumber", "ActionsPie", "ActionsBarValue", "ActionsTable", "WorldMap"),
    *("CalendarHeatmap", "TwoDimensionalHeatmap", "BoxPlot", "Metric", "SlopeGraph"),
)


def _in_a_filter(value: Mapping[str, object]) -> Iterator[Flaw]:
    """Find a filter that is incomplete, or that has an empty list: PostHog takes it as always true."""
    kind = value.get("type") or "event"
    if kind == "flag":
        yield Flaw("has no effect in a query: flags are filtered by the event property $feature/<key>")
    elif kind not in (*FILTER_TYPES, *_OTHER_TYPES):
        near = nearest(str(kind), list(FILTER_TYPES))
        yield Flaw(f"must be {near}" if near else f"must be one of {', '.join(FILTER_TYPES)}", ("type",))
    elif kind == "cohort":
        yield from within(whole(value.get("value")), "value")
    elif not isinstance(value.get("key"), str) or not value["key"]:
        yield Flaw("needs `key`")
    elif kind != "hogql":
        yield from _value(value)
    if kind == "group" and value.get("group_type_index") is None:
        yield Flaw(_PLACE_OF_GROUP)
    if kind == "element" and value.get("key") not in _ELEMENT_KEYS:
        yield Flaw(f"must be one of {', '.join(_ELEMENT_KEYS)}", ("key",))


def _value(fields: Mapping[str, object]) -> Iterator[Flaw]:
    value = fields.get("value")
    if fields.get("operator") in _WITHOUT_VALUE:
        return
    if value is None or value == []:
        yield Flaw("needs a `value`; PostHog ignores the filter otherwise")
    elif is_object(value) or (is_list(value) and any(is_list(one) or is_object(one) for one in value)):
        yield Flaw("must be a text, a number, true, false, or a list of them", ("value",))


property_filter = Model(
    "a property filter",
    {**each(anything, "value bytecode conditionHash"), **each(text, "key label cohort_name type")}
    | {"group_type_index": whole, "operator": word(*OPERATORS)},
    also=_in_a_filter,
)


def filters(value: object) -> Iterator[Flaw]:
    """Find the flaws of a list of filters."""
    if value == {}:
        return  # written so in older metrics
    yield from listed(property_filter)(value)


def filters_or_groups(value: object) -> Iterator[Flaw]:
    """Find the flaws of a list of filters, or of groups of them."""
    yield from _group(value) if is_object(value) else filters(value)


def _group(value: object) -> Iterator[Flaw]:
    if not is_object(value):
        yield Flaw("must be an object")
    elif "values" in value or value.get("type") in ("AND", "OR"):
        yield from _GROUP(value)
    else:
        yield from property_filter(value)


_GROUP = Model("a group of filters", {"type": word("AND", "OR"), "values": listed(_group)}, ("type", "values"))


def series_fields(**more: Check) -> dict[str, Check]:
    """Return the fields of a series."""
    return {
        "kind": text,
        **each(text, "name custom_name math_property math_property_type math_hogql"),
        "math": word(*_MATHS),
        "math_multiplier": number,
        "math_property_revenue_currency": anything,
        "math_group_type_index": GROUP_INDEX,
        **each(filters, "properties fixedProperties"),
        "optionalInFunnel": flag,
        **each(anything, "version response"),
        **more,
    }


_EVENT = Model("EventsNode", series_fields(event=text, limit=whole, orderBy=listed(text)))
_ACTION = Model("ActionsNode", series_fields(id=whole), ("id",))
_EXCLUSION = {"funnelFromStep": whole, "funnelToStep": whole}
_EXCLUDED_EVENT = Model("an exclusion", {**_EVENT.fields, **_EXCLUSION}, tuple(_EXCLUSION))
_EXCLUDED_ACTION = Model("an exclusion", {**_ACTION.fields, **_EXCLUSION}, ("id", *_EXCLUSION))


def series_node(value: object) -> Iterator[Flaw]:
    """Find the flaws of a series. The nodes of data warehouses are not checked: they differ by version."""
    kind = value.get("kind") if is_object(value) else None
    match kind:
        case "EventsNode":
            yield from _EVENT(value)
        case "ActionsNode":
            yield from _ACTION(value)
        case "GroupNode":
            yield from _GROUP_NODE(value)
        case str() if kind.endswith("Node"):
            return
        case _:
            yield Flaw('must be an object such as {"kind": "EventsNode", "event": "$pageview"}')
            return
    if is_object(value):
        yield from _math(value)


_GROUP_NODE = Model(
    "GroupNode",
    series_fields(
        operator=word("OR", "AND"), nodes=lambda value: listed(series_node)(value), limit=whole, orderBy=listed(text)
    ),
    ("operator", "nodes"),
)


def _math(fields: Mapping[str, object]) -> Iterator[Flaw]:
    """Find a math without what it is about, which PostHog replaces by a count of events."""
    math = fields.get("math")
    if math in MATHS_OF_PROPERTY and not (fields.get("math_property") or fields.get("math_property_revenue_currency")):
        yield Flaw(f"counts events instead of {math}: it needs `math_property`")
    if math == "hogql" and not fields.get("math_hogql"):
        yield Flaw("with math hogql needs `math_hogql`")
    if math == "unique_group" and fields.get("math_group_type_index") is None:
        yield Flaw("with math unique_group needs `math_group_type_index`")


def exclusion(value: object) -> Iterator[Flaw]:
    """Find the flaws of an exclusion of a funnel."""
    is_action = is_object(value) and value.get("kind") == "ActionsNode"
    yield from (_EXCLUDED_ACTION if is_action else _EXCLUDED_EVENT)(value)


def _breakdown_value(value: object) -> Iterator[Flaw]:
    plain = as_list(value) if is_list(value) else [value]
    if not all(isinstance(one, (str, int)) and not isinstance(one, bool) for one in plain):
        yield Flaw("must be a property, or a list")


def _in_a_breakdown(fields: Mapping[str, object]) -> Iterator[Flaw]:
    if fields.get("type") == "group" and fields.get("group_type_index") is None:
        yield Flaw(_PLACE_OF_GROUP)


_ONE_BREAKDOWN = Model(
    "a breakdown",
    {"property": _breakdown_value, "type": word(*BREAKDOWN_TYPES), "normalize_url": flag}
    | each(whole, "group_type_index histogram_bin_count"),
    ("property",),
    _in_a_breakdown,
)


def _in_the_older_form(value: Mapping[str, object]) -> Iterator[Flaw]:
    if value.get("breakdown") in (None, "", []):
        return
    match value.get("breakdown_type"):
        case "group" if value.get("breakdown_group_type_index") is None:
            yield Flaw("of a group needs `breakdown_group_type_index`, from 0 to 4")
        case "cohort":
            given = value["breakdown"]
            wrong = [one for one in (as_list(given) if is_list(given) else [given]) if not _is_cohort(one)]
            if wrong:
                yield Flaw("must be cohort ids, or all", ("breakdown",))
        case _:
            pass


breakdown_filter = Model(
    "breakdownFilter",
    {"breakdown": _breakdown_value, "breakdown_type": word(*BREAKDOWN_TYPES)}
    | each(whole, "breakdown_limit breakdown_group_type_index breakdown_histogram_bin_count")
    | each(flag, "breakdown_normalize_url breakdown_path_cleaning breakdown_hide_other_aggregation")
    | {"breakdowns": listed(_ONE_BREAKDOWN, most=3)},
    also=_in_the_older_form,
)


def _is_cohort(value: object) -> bool:
    return value == "all" or isinstance(value, int) or (isinstance(value, str) and value.isdecimal())
