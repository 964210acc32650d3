"""Analyses under the settings on people's data: which are about groups, and what is shown of their results."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...gateway.errors import Refused
from ...schemas.analytics.events import ACTOR_MATHS, PROPERTY_MATHS
from ...schemas.json import as_list, as_object, is_list, is_object
from ...schemas.privacy import SMALLEST_GROUP, Privacy
from ...schemas.privacy.names import Subject, identifies, kind_of
from ..people.columns import expression_kind
from ..people.identifying import names_persons
from .spec import COHORT, Condition, Counted, Spec, Split
from .stored import StoredQuery, splits

_HINT = "Only groups of persons can be analyzed here (--aggregate-only): use another property, or leave it out."
_WITHOUT_VALUE = ("is_set", "is_not_set")
_OF_BREAKDOWNS = ("breakdown_value", "breakdown", "label", "custom_name", "name")
"""Fields of a result that can contain the value of a breakdown."""


def reject_single_persons(spec: Spec[Any]) -> None:
    """Raise Refused (`invalid_argument`) for an analysis that tells persons apart."""
    if found := about_single_persons(spec):
        raise Refused("invalid_argument", f"{found}: this can show single persons.", _HINT)


def about_single_persons(spec: Spec[Any]) -> str | None:
    """Return what tells persons apart in an analysis; None if nothing does."""
    counted = (*spec.counted, *spec.excluded)
    conditions = [*spec.conditions, *(condition for one in counted for condition in one.conditions)]
    found = (
        *(f"breakdown by {one.property}" for one in spec.splits if _splits_persons(one)),
        *(f"a condition on {one.key}" for one in conditions if _picks_persons(one)),
        *(f"{one.math} of {one.math_property}" for one in counted if _measures(one, is_split=bool(spec.splits))),
    )
    return found[0] if found else None


def _splits_persons(split: Split) -> bool:
    if split.type == COHORT:
        return False
    return names_persons(str(split.property)) if split.type == "hogql" else _identifies(str(split.property))


def _picks_persons(condition: Condition) -> bool:
    """Return whether a condition can pick out persons. The domain of an email is no person."""
    if condition.type == COHORT or condition.operator in _WITHOUT_VALUE:
        return False
    if condition.type == "hogql":
        return names_persons(condition.key)
    is_domain = isinstance(condition.value, str) and condition.value.startswith("@")
    return _identifies(condition.key) and not is_domain


def _measures(counted: Counted, *, is_split: bool) -> bool:
    """Return whether a number can be the value of one person: few persons have a rare value of a breakdown."""
    if counted.math == "hogql":
        return True
    if counted.math in PROPERTY_MATHS or counted.math in ACTOR_MATHS:
        return is_split or _identifies(counted.math_property or "")
    return False


def _identifies(name: str) -> bool:
    return identifies(name) or identifies(name.rpartition(".")[2])


@dataclass(frozen=True, slots=True)
class ShownGroups:
    """A result as it can be shown."""

    results: Any
    left_out: int = 0
    """The number of groups that were too small."""

    @property
    def note(self) -> str | None:
        """The sentence about the groups that are left out."""
        if not self.left_out:
            return None
        what = "1 value of the breakdown is" if self.left_out == 1 else f"{self.left_out} values of the breakdown are"
        return f"{what} left out, because each counts fewer than {SMALLEST_GROUP} (--aggregate-only)."


def kept(privacy: Privacy, source: StoredQuery, results: Any) -> ShownGroups:
    """Return the results of an analysis without groups that are too small, and with pseudonyms in place of persons."""
    by = splits(source)
    if not by or not is_list(results):
        return ShownGroups(results)
    found = _without_small_groups(results) if privacy.aggregate_only else ShownGroups(results)
    kinds = [kind for one in by if (kind := _kind(one))]
    if privacy.pseudonyms and kinds:
        values = {text for item in found.results for text in _values(item) if text}
        names = {text: str(privacy.pseudonyms.whole(kinds[0], text)) for text in values}
        return ShownGroups(_renamed(found.results, names), found.left_out)
    return found


def _kind(split: Split) -> Subject | None:
    if split.type == COHORT:
        return None
    if split.type == "hogql":
        return expression_kind(str(split.property))
    return kind_of(str(split.property).rpartition(".")[2], of_person=True)


def _values(item: Any) -> Iterable[str]:
    """Return the texts of a result that name its breakdown."""
    for one in item if is_list(item) else [item]:
        fields = as_object(one)
        value = fields.get("breakdown_value", fields.get("breakdown"))
        yield from (str(part) for part in (value if is_list(value) else [value]) if isinstance(part, (str, int)))


def _renamed(value: Any, names: Mapping[str, str], *, named: bool = False) -> Any:
    """Return a result with each value of a breakdown replaced, also inside the labels that are made from it."""
    if is_object(value):
        return {key: _renamed(item, names, named=key in _OF_BREAKDOWNS) for key, item in value.items()}
    if is_list(value):
        return [_renamed(item, names, named=named) for item in value]
    if not named or isinstance(value, bool) or not isinstance(value, (str, int)):
        return value
    text = str(value)
    if text in names:
        return names[text]
    for part in sorted(names, key=len, reverse=True):
        text = text.replace(part, names[part])
    return value if text == str(value) else text


def _without_small_groups(results: Sequence[Any]) -> ShownGroups:
    sizes: dict[str, float] = {}
    for item in results:
        sizes[_group(item)] = sizes.get(_group(item), 0) + _size(item)
    small = {group for group, size in sizes.items() if size < SMALLEST_GROUP}
    return ShownGroups([item for item in results if _group(item) not in small], len(small))


def _group(item: Any) -> str:
    return repr(list(_values(item)))


def _size(item: Any) -> float:
    """Return what a group counted: persons of a first step or period, or the total; 0 for what cannot be known."""
    if is_list(item):
        return max((_number(as_object(step).get("count")) for step in item), default=0)
    fields = as_object(item)
    if fields.get("values") is not None:
        return _number(as_object(next(iter(as_list(fields["values"])), None)).get("count"))
    for name in ("aggregated_value", "count"):
        if fields.get(name) is not None:
            return _number(fields[name])
    return 0


def _number(value: Any) -> float:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else 0
