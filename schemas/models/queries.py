"""The models of PostHog's queries by kind, and the nodes around them."""

from collections.abc import Callable, Iterator, Mapping

from ..json import as_list, as_object, as_objects, is_object
from .check import Check, Model, anything, each, flag, keyed, listed, number, text, whole, word
from .flaw import Flaw
from .parts import (
    COMPARE,
    CUSTOMIZATIONS,
    DATE_RANGE,
    DISPLAYS,
    GOAL_LINES,
    INTERVALS,
    LEGEND,
    MATHS_OF_PROPERTY,
    MATHS_PER_ACTOR,
    MODIFIERS,
    TAGS,
    breakdown_filter,
    exclusion,
    filters,
    filters_or_groups,
    series_node,
)

_OF_NODES: dict[str, Check] = {"kind": text, **each(anything, "version response")}
_OF_CHARTS: dict[str, Check] = {
    **_OF_NODES,
    "dateRange": DATE_RANGE,
    "filterTestAccounts": flag,
    "properties": filters_or_groups,
    "samplingFactor": number,
    "dataColorTheme": number,
    "modifiers": MODIFIERS,
    "tags": TAGS,
}
_OF_GROUPS: dict[str, Check] = {"aggregation_group_type_index": whole}
_SERIES: dict[str, Check] = {"series": listed(series_node)}
_FORMULA = Model("a formula", each(text, "formula custom_name"), ("formula",))

_TRENDS_FILTER = Model(
    "trendsFilter",
    each(whole, "smoothingIntervals breakdown_histogram_bin_count")
    | each(text, "formula aggregationAxisPrefix aggregationAxisPostfix xAxisLabel yAxisLabel")
    | each(text, "metricChangeIncreaseColor metricChangeDecreaseColor metricLineIncreaseColor metricLineDecreaseColor")
    | each(number, "decimalPlaces minDecimalPlaces confidenceLevel movingAverageIntervals")
    | each(flag, "showLegend showAlertThresholdLines showValuesOnSeries showLabelsOnSeries showPercentStackView")
    | each(flag, "stackBreakdownValues showMultipleYAxes showConfidenceIntervals showTrendLines showMovingAverage")
    | each(flag, "excludeBoxPlotOutliers hideWeekends showAnnotations metricShowChange metricColorByDirection")
    | {
        "formulas": listed(text),
        "formulaNodes": listed(_FORMULA),
        "display": DISPLAYS,
        "legendPosition": LEGEND,
        "aggregationAxisFormat": word(
            *("numeric", "duration", "duration_ms", "percentage", "percentage_scaled", "currency", "short")
        ),
        "yAxisScaleType": word("log10", "linear"),
        "hiddenLegendIndexes": listed(whole),
        "resultCustomizationBy": word("value", "position"),
        "resultCustomizations": CUSTOMIZATIONS,
        "goalLines": GOAL_LINES,
        "detailedResultsAggregationType": word("total", "average", "median"),
        "metricSummary": word("total", "average", "latest"),
    },
)
_WINDOW_UNITS = word("second", "minute", "hour", "day", "week", "month")
_FUNNELS_FILTER = Model(
    "funnelsFilter",
    each(whole, "binCount breakdownAttributionValue funnelFromStep funnelToStep funnelWindowInterval")
    | each(flag, "customAggregationTarget useUdf showTrendLines showLegend showValuesOnSeries showAnnotations")
    | each(flag, "hideIncompleteConversionWindowPeriods")
    | each(text, "funnelAggregateByHogQL breakdownSorting")
    | {
        "exclusions": listed(exclusion),
        "layout": word("horizontal", "vertical"),
        "breakdownAttributionType": word("first_touch", "last_touch", "all_events", "step"),
        "funnelOrderType": word("ordered", "strict", "unordered"),
        "funnelVizType": word("steps", "time_to_convert", "trends", "flow"),
        "funnelWindowIntervalUnit": _WINDOW_UNITS,
        "hiddenLegendBreakdowns": listed(text),
        "funnelStepReference": word("total", "previous"),
        "resultCustomizations": CUSTOMIZATIONS,
        "goalLines": GOAL_LINES,
        "legendPosition": LEGEND,
    },
)
_ENTITY = Model(
    "a retention entity",
    {"id": anything, "properties": filters, "order": number, "kind": word("EventsNode", "ActionsNode")}
    | each(text, "name custom_name uuid")
    | {"type": word("events", "actions", "new_entity")},
)


def _entity(value: object) -> Iterator[Flaw]:
    if is_object(value) and value.get("type") == "data_warehouse":
        return
    yield from _ENTITY(value)


_RETENTION_FILTER = Model(
    "retentionFilter",
    each(_entity, "targetEntity returningEntity")
    | each(whole, "totalIntervals minimumOccurrences selectedInterval cohortLabelStartIndex")
    | each(flag, "cumulative customAggregationTarget showTrendLines")
    | {
        "retentionType": word("retention_first_time", "retention_recurring", "retention_first_ever_occurrence"),
        "retentionReference": word("total", "previous"),
        "period": word("Hour", "Day", "Week", "Month"),
        "timeWindowMode": word("strict_calendar_dates", "24_hour_windows"),
        "retentionCustomBrackets": listed(number),
        "aggregationType": word("count", "sum", "avg"),
        "aggregationProperty": text,
        "aggregationPropertyType": word("event", "person", "data_warehouse"),
        "meanRetentionCalculation": word("simple", "weighted", "none"),
        "display": DISPLAYS,
        "dashboardDisplay": word("table_only", "graph_only", "all"),
        "goalLines": GOAL_LINES,
    },
)
_CLEANING = Model("a path cleaning filter", each(text, "alias regex") | {"order": number})
_PATHS_FILTER = Model(
    "pathsFilter",
    each(whole, "edgeLimit stepLimit minEdgeWeight maxEdgeWeight")
    | each(text, "pathsHogQLExpression startPoint endPoint pathStartKey pathEndKey pathDropoffKey")
    | each(flag, "pathReplacements showFullUrls")
    | each(listed(text), "pathGroupings excludeEvents")
    | {
        "includeEventTypes": listed(word("$pageview", "$screen", "custom_event", "hogql")),
        "localPathCleaningFilters": listed(_CLEANING),
    },
)
_STICKINESS_FILTER = Model(
    "stickinessFilter",
    each(flag, "showLegend showValuesOnSeries showMultipleYAxes")
    | {
        "display": DISPLAYS,
        "legendPosition": LEGEND,
        "hiddenLegendIndexes": listed(whole),
        "stickinessCriteria": Model(
            "stickinessCriteria", {"operator": word("gte", "lte", "exact"), "value": whole}, ("operator", "value")
        ),
        "computedAs": word("non_cumulative", "cumulative"),
        "resultCustomizationBy": word("value", "position"),
        "resultCustomizations": CUSTOMIZATIONS,
    },
)
_LIFECYCLE_FILTER = Model(
    "lifecycleFilter",
    each(flag, "showValuesOnSeries showPercentagesOnSeries showLegend stacked")
    | {
        "toggledLifecycles": listed(word("new", "returning", "resurrecting", "dormant")),
        "legendPosition": LEGEND,
    },
)
_FUNNELS = Model(
    "FunnelsQuery",
    {**_OF_CHARTS, **_OF_GROUPS, **_SERIES, "interval": INTERVALS, "funnelsFilter": _FUNNELS_FILTER}
    | {"breakdownFilter": breakdown_filter, "compareFilter": COMPARE},
    ("series",),
)
_FUNNEL_PATHS = Model(
    "funnelPathsFilter",
    {
        "funnelPathType": word("funnel_path_before_step", "funnel_path_between_steps", "funnel_path_after_step"),
        "funnelSource": _FUNNELS,
        "funnelStep": whole,
    },
    ("funnelSource",),
)
_SQL_FILTERS = Model("filters", {"properties": filters, "dateRange": DATE_RANGE, "filterTestAccounts": flag})
_VARIABLE = Model("a variable", each(text, "variableId code_name") | {"value": anything, "isNull": flag})

MODELS: Mapping[str, Model] = {
    model.name: model
    for model in (
        Model(
            "TrendsQuery",
            {**_OF_CHARTS, **_OF_GROUPS, **_SERIES, "interval": INTERVALS, "trendsFilter": _TRENDS_FILTER}
            | {"breakdownFilter": breakdown_filter, "compareFilter": COMPARE, "conversionGoal": anything}
            | {"calendarHeatmapFilter": anything},
            ("series",),
        ),
        _FUNNELS,
        Model(
            "RetentionQuery",
            {**_OF_CHARTS, **_OF_GROUPS, "retentionFilter": _RETENTION_FILTER, "breakdownFilter": breakdown_filter},
            ("retentionFilter",),
        ),
        Model(
            "PathsQuery",
            {**_OF_CHARTS, **_OF_GROUPS, "pathsFilter": _PATHS_FILTER, "funnelPathsFilter": _FUNNEL_PATHS},
            ("pathsFilter",),
        ),
        Model(
            "StickinessQuery",
            {**_OF_CHARTS, **_SERIES, "interval": INTERVALS, "intervalCount": whole}
            | {"stickinessFilter": _STICKINESS_FILTER, "compareFilter": COMPARE},
            ("series",),
        ),
        Model(
            "LifecycleQuery",
            {**_OF_CHARTS, **_OF_GROUPS, **_SERIES, "interval": INTERVALS, "lifecycleFilter": _LIFECYCLE_FILTER}
            | {"customAggregationTarget": flag},
            ("series",),
        ),
        Model(
            "HogQLQuery",
            {**_OF_NODES, **each(text, "query connectionId name"), **each(flag, "sendRawQuery explain")}
            | {"filters": _SQL_FILTERS, "variables": keyed(_VARIABLE), "values": keyed(anything)}
            | {"modifiers": MODIFIERS, "tags": TAGS},
            ("query",),
        ),
        Model(
            "EventsQuery",
            {**_OF_NODES, **each(listed(text), "select where events orderBy"), **each(filters, "properties")}
            | each(text, "event personId before after")
            | each(whole, "limit offset actionId")
            | each(anything, "source fixedProperties actionSteps")
            | {"filterTestAccounts": flag, "modifiers": MODIFIERS, "tags": TAGS},
            ("select",),
        ),
        Model(
            "ActorsQuery",
            {**_OF_NODES, **each(listed(text), "select orderBy"), **each(whole, "limit offset"), "search": text}
            | {"source": anything, "properties": filters_or_groups, "fixedProperties": filters}
            | {"modifiers": MODIFIERS, "tags": TAGS},
        ),
    )
}
"""Kinds that are not here, such as newer ones, are not checked."""
_VIEW = each(
    flag,
    "full showHeader showTable showCorrelationTable showLastComputation showLastComputationRefresh showFilters "
    "showResults embedded suppressSessionAnalysisWarning hidePersonsModal hideTooltipOnScroll",
)
_NODES: Mapping[str, Model] = {
    "InsightVizNode": Model("InsightVizNode", {**_OF_NODES, **_VIEW, **each(anything, "source vizSpecificOptions")}),
    "DataVisualizationNode": Model(
        "DataVisualizationNode",
        {**_OF_NODES, "source": anything, "display": DISPLAYS, **each(anything, "chartSettings tableSettings")},
    ),
}
"""The fields of DataTableNode are many, and only decide how a table looks."""


_TABLES = ("EventsQuery", "ActorsQuery")
_NODE_OF = {kind: "DataTableNode" if kind in _TABLES else "InsightVizNode" for kind in MODELS if kind != "HogQLQuery"}
"""The node that draws a kind; tables and charts can both draw SQL."""


def query_flaws(query: Mapping[str, object]) -> Iterator[Flaw]:
    """Yield the flaws of a query, or of the query inside a node. Their places begin at the query itself."""
    source = query.get("source")
    if is_object(source) and (node := str(query.get("kind"))).endswith("Node"):
        yield from _NODES[node](query) if node in _NODES else ()
        if (other := _NODE_OF.get(str(source.get("kind")), node)) != node:
            yield Flaw(f"must be {other} for a {source.get('kind')}", ("kind",))
        yield from query_flaws(source)
        return
    kind = str(query.get("kind"))
    model = MODELS.get(kind)
    if model is None:
        return
    yield from (_elsewhere(flaw, kind) for flaw in model(query))
    yield from _IGNORED.get(kind, _none)(query)


def _elsewhere(flaw: Flaw, kind: str) -> Flaw:
    """Return the flaw of a field that another kind has with the name of that kind."""
    if len(flaw.place) != 1 or not flaw.what.startswith("is not a field of ") or "; write " in flaw.what:
        return flaw
    others = [name for name, model in MODELS.items() if flaw.place[0] in model.fields]
    return Flaw(f"is not a field of {kind}, only of {' and '.join(others)}", flaw.place) if others else flaw


def _none(_: Mapping[str, object]) -> Iterator[Flaw]:
    yield from ()


def _at(query: Mapping[str, object], name: str) -> Mapping[str, object]:
    return as_object(query.get(name))


def _ignored_in_funnels(query: Mapping[str, object]) -> Iterator[Flaw]:
    split, shown = _at(query, "breakdownFilter"), _at(query, "funnelsFilter")
    if breakdowns := as_objects(split.get("breakdowns")):
        first = breakdowns[0]
        instead = f'"breakdown": "{first.get("property")}", "breakdown_type": "{first.get("type") or "event"}"'
        yield Flaw(f"has no effect in a funnel; write {instead}", ("breakdownFilter", "breakdowns"))
    steps = as_list(query.get("series"))
    if steps and as_object(steps[0]).get("optionalInFunnel") is True:
        yield Flaw("cannot be true for the first step", ("series", 0, "optionalInFunnel"))
    start, end = shown.get("funnelFromStep"), shown.get("funnelToStep")
    last = len(steps) - 1
    if isinstance(start, int) and not 0 <= start < last:
        yield Flaw(f"must be between 0 and {last - 1}: steps are counted from 0", ("funnelsFilter", "funnelFromStep"))
    if isinstance(end, int) and not max(start if isinstance(start, int) else 0, 0) < end <= last:
        yield Flaw(f"must be after funnelFromStep, and at most {last}", ("funnelsFilter", "funnelToStep"))
    by_step = shown.get("breakdownAttributionType") == "step"
    if by_step is not (shown.get("breakdownAttributionValue") is not None):
        needed = ("breakdownAttributionType" if not by_step else "breakdownAttributionValue",)
        text = "must be step for a breakdownAttributionValue" if not by_step else "is required with type step"
        yield Flaw(text, ("funnelsFilter", *needed))
    if shown.get("funnelOrderType") == "unordered" and any(
        (one.get("funnelFromStep"), one.get("funnelToStep")) != (0, last) for one in as_objects(shown.get("exclusions"))
    ):
        yield Flaw(f"of an unordered funnel must be from step 0 to {last}", ("funnelsFilter", "exclusions"))


_IN_RETENTION = ("event", "person", "group", "cohort", "hogql")


def _ignored_in_retention(query: Mapping[str, object]) -> Iterator[Flaw]:
    split = _at(query, "breakdownFilter")
    several = as_objects(split.get("breakdowns"))
    if len(several) > 1 and any(one.get("type") != "cohort" for one in several):
        yield Flaw("must have one item: retention ignores the others", ("breakdownFilter", "breakdowns"))
    kind, name = several[0].get("type") if several else split.get("breakdown_type"), split.get("breakdown")
    if kind not in (None, *_IN_RETENTION):
        name = several[0].get("property") if several else name
        place = ("breakdowns", 0, "type") if several else ("breakdown_type",)
        instead = f"; write type hogql with session.{name}" if kind == "session" else ""
        yield Flaw(f"is read as event by retention{instead}", ("breakdownFilter", *place))
    shown = _at(query, "retentionFilter")
    if shown.get("cumulative") is True and shown.get("timeWindowMode") == "24_hour_windows":
        yield Flaw("cannot be true with timeWindowMode 24_hour_windows", ("retentionFilter", "cumulative"))
    if shown.get("aggregationType") in ("sum", "avg") and not shown.get("aggregationProperty"):
        yield Flaw("is required with this aggregationType", ("retentionFilter", "aggregationProperty"))


def _ignored_in_paths(query: Mapping[str, object]) -> Iterator[Flaw]:
    shown = _at(query, "pathsFilter")
    if as_list(shown.get("excludeEvents")) and not as_list(shown.get("includeEventTypes")):
        yield Flaw("has no effect without includeEventTypes", ("pathsFilter", "excludeEvents"))
    if "hogql" in as_list(shown.get("includeEventTypes")) and not shown.get("pathsHogQLExpression"):
        yield Flaw("is required with includeEventTypes hogql", ("pathsFilter", "pathsHogQLExpression"))


def _ignored_in_stickiness(query: Mapping[str, object]) -> Iterator[Flaw]:
    for at, one in enumerate(as_list(query.get("series"))):
        math = as_object(one).get("math")
        if math in (*MATHS_OF_PROPERTY, *MATHS_PER_ACTOR):
            yield Flaw("has no effect in stickiness, which counts users", ("series", at, "math"))


def _ignored_in_lifecycle(query: Mapping[str, object]) -> Iterator[Flaw]:
    if len(as_list(query.get("series"))) > 1:
        yield Flaw("must have one item: a lifecycle ignores the others", ("series",))


_IGNORED: Mapping[str, Callable[[Mapping[str, object]], Iterator[Flaw]]] = {
    "FunnelsQuery": _ignored_in_funnels,
    "RetentionQuery": _ignored_in_retention,
    "PathsQuery": _ignored_in_paths,
    "StickinessQuery": _ignored_in_stickiness,
    "LifecycleQuery": _ignored_in_lifecycle,
}
"""What a kind accepts and ignores, or rejects when it runs."""
