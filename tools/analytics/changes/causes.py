"""Which part of the users a change is concentrated in: each part is compared with its own past, never with the whole.

A part explains a change when it changed and the rest did not. That is a likelihood: of all parts, the true one has the
most evidence, because a larger part is diluted and a smaller one leaves change outside. Evidence of the whole is
compared in the same way, so a change of all users is not blamed on the largest part.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import sqrt
from operator import attrgetter
from statistics import median, pstdev

from .counts import Counts, Segments
from .statistics import Baseline, evidence_of_count, evidence_of_rate, split_of_rate

_CLEARLY, _AT_LEAST = 1.05, 4.0
"""A part must have this much more evidence than the whole."""
_PAIR_CLEARLY, _PAIR_AT_LEAST = 1.15, 6.0
"""A pair must have this much more evidence than each of its two, because there are many pairs."""
_MIX_SHARE = 0.5
_MIX_BEATEN = 1.4
_SEEN, _COUNTED = 5.5, 3.5
_ALIKE = 0.03
_WHOLE = 0.97
_CLEAR_EVIDENCE, _CLEAR_SEEN, _CLEAR_SIZE = 14.0, 4.5, 0.03
_SUSPECT, _CLEAR_PAIR = 5.0, 20.0
"""What a part needs to be shown when the whole did not change: evidence, deviations of its past, and size."""
NONE, OTHER = "", "\x00other"
"""The value of events without the property, and the rest of values that are not listed."""

type Where = tuple[tuple[str, str], ...]
"""Dimensions and their values; empty for everything."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a part did, and how much of the change that is."""

    where: Where
    actual: float
    expected: float
    share: float
    """Of the change; parts of one dimension add up to 1."""
    evidence: float
    kind: str = "segment"
    """`segment`, `everywhere`, `mix`, `release` or `property_missing`."""
    alike: tuple[Where, ...] = field(default=())
    """Other parts with the same numbers."""


@dataclass(frozen=True, slots=True)
class NumberChange:
    """A number that changed, and what was expected of it."""

    total: Counts
    baseline: Baseline
    scale: float
    """The variance of a count relative to a Poisson count, or of a unit of a rate."""

    @property
    def is_rate(self) -> bool:
        """True if the number is a rate."""
        return bool(self.total.units)

    @property
    def actual(self) -> float:
        """The number in the period."""
        return _rate(self.total.counts[0], self.total.units[0]) if self.is_rate else self.total.counts[0]

    @property
    def by(self) -> float:
        """How much it changed."""
        return self.actual - self.baseline.expected

    @property
    def is_real(self) -> bool:
        """Return whether chance does not reach it."""
        return not self.baseline.holds(self.actual)

    def before(self, cell: Counts) -> tuple[float, float]:
        """Return what is expected of a part by its own past: a count and 0, or numerator and denominator."""
        units = self.baseline.mean(cell.units[1:]) if cell.units else 0.0
        return self.baseline.mean(cell.counts[1:]), units

    def effect(self, where: Where, cell: Counts) -> Explanation:
        """Return what a part did."""
        count, units = self.before(cell)
        if not self.is_rate:
            actual = cell.counts[0]
            evidence = evidence_of_count(actual / self.scale, count / self.scale)
            return Explanation(where, actual, count, _share(actual - count, self.by), evidence)
        known = sum(size for size, weight in zip(cell.units[1:], self.baseline.weights, strict=True) if weight)
        expected = _rate(count, units) if known >= 1 else self.baseline.expected
        now = cell.units[0]
        actual = _rate(cell.counts[0], now)
        effective = now * known / (now + known) if known else 0.0
        evidence = evidence_of_rate(actual, expected, units=effective, variance=self.scale)
        weight = now / self.total.units[0] if self.total.units[0] else 0.0
        return Explanation(where, actual, expected, _share(weight * (actual - expected), self.by), evidence)


def with_rest(change: NumberChange, values: Mapping[str, Counts]) -> Mapping[str, Counts]:
    """Return the values of a dimension and, as OTHER, all that are not listed."""
    rest = change.total
    for cell in values.values():
        rest = rest.plus(cell, -1)
    return {**values, OTHER: rest} if any(count > 1e-6 for count in (*rest.counts, *rest.units)) else values


def singles(
    change: NumberChange, parts: Segments, versions: Iterable[str], *, both_ways: bool = False
) -> list[Explanation]:
    """Return the effects of all values in the direction of the change, or with `both_ways` of all, the most evidence
    first. Of a version, all its values are one part: a new release takes its users from the one before.
    """
    versioned = frozenset(versions)
    found: list[Explanation] = []
    for name, values in parts.items():
        if name in versioned:
            found += _of_versions(change, name, values)
            continue
        found += [change.effect(((name, value),), cell) for value, cell in values.items() if value != OTHER]
    clear = [one for one in found if _stands_out(change, one)]
    kept = clear if both_ways else _towards(clear)
    return _without_doubles(sorted(kept, key=attrgetter("evidence"), reverse=True))


def ranked(
    change: NumberChange,
    parts: Segments,
    found: Sequence[Explanation],
    pairs: Sequence[Explanation],
    versions: Iterable[str],
) -> list[Explanation]:
    """Return the effects that explain the change, the best first."""
    best = with_pair(found, _towards(pairs))
    everywhere = _everywhere(change)
    rest = [one for one in found if one is not best]
    mix = _mix(change, parts) if change.is_rate else None
    if mix and not (best and best.evidence > _MIX_BEATEN * everywhere.evidence + _AT_LEAST):
        return [mix, *([best] if best else []), *rest]
    if best and best.evidence > _CLEARLY * everywhere.evidence + _AT_LEAST:
        return [best, *rest]
    release = _release(change, parts, frozenset(versions))
    return [*([release] if release else []), everywhere, *([best] if best else []), *rest]


def _stands_out(change: NumberChange, one: Explanation) -> bool:
    """Return whether a part changed otherwise than the whole; of a rate, whether it is not the whole."""
    if one.kind == "release":
        return True
    if change.is_rate:
        return abs(one.share) < _WHOLE or abs(one.actual - one.expected) > 1.05 * abs(change.by)
    if one.expected <= 0 or change.baseline.expected <= 0:
        return True
    part, whole = one.actual / one.expected - 1, change.actual / change.baseline.expected - 1
    return part * whole < 0 or abs(part) > 1.02 * abs(whole)


def inside(change: NumberChange, found: Sequence[Explanation], parts: Segments) -> list[Explanation]:
    """Return the parts that clearly changed though the whole did not, those in the direction of the clearest one."""
    return same_way([one for one in found if _is_clear(change, one, parts)])


def same_way(found: Sequence[Explanation]) -> list[Explanation]:
    """Return the parts that changed in the direction of the first."""
    up = bool(found) and found[0].actual > found[0].expected
    return [one for one in found if (one.actual > one.expected) is up]


def may_hide_a_pair(found: Sequence[Explanation]) -> bool:
    """Return whether values of two dimensions changed so much that their combination is worth a query."""
    suspects = [one for one in same_way(found) if one.kind == "segment" and one.evidence >= _SUSPECT]
    return len({one.where[0][0] for one in suspects}) > 1


def clear_pair(pairs: Sequence[Explanation], found: Sequence[Explanation]) -> Explanation | None:
    """Return the pair that is beyond chance though there are many pairs."""
    best = with_pair(found, pairs)
    return best if best and len(best.where) > 1 and best.evidence >= _CLEAR_PAIR else None


def _is_clear(change: NumberChange, effect: Explanation, parts: Segments) -> bool:
    """Return whether a part is far beyond chance, though there are hundreds of parts, and large enough to matter."""
    if len(effect.where) != 1 or effect.kind != "segment" or effect.evidence < _CLEAR_EVIDENCE:
        return False
    ((name, value),) = effect.where
    cell = parts[name][value]
    past = zip(cell.counts[1:], cell.units[1:] or cell.counts[1:], change.baseline.weights, strict=True)
    if change.is_rate:
        known = [_rate(part, whole) for part, whole, weight in past if weight]
        size = _rate(cell.units[0], change.total.units[0])
    else:
        known = [part * weight for part, _, weight in past if weight]
        size = _rate(abs(effect.actual - effect.expected), change.baseline.expected)
    by = abs(effect.actual - effect.expected)
    return (
        size >= _CLEAR_SIZE
        and by > _CLEAR_SEEN * pstdev(known)
        and by > max(abs(one - effect.expected) for one in known)
    )


def with_pair(found: Sequence[Explanation], pairs: Sequence[Explanation]) -> Explanation | None:
    """Return the best effect: a pair only if it has clearly more evidence than any single value."""
    best = found[0] if found else None
    pair = max(pairs, key=attrgetter("evidence"), default=None)
    least = _PAIR_CLEARLY * best.evidence + _PAIR_AT_LEAST if best else 0.0
    return pair if pair and pair.evidence > least else best


def pair_candidates(found: Sequence[Explanation], most: int) -> list[tuple[str, str]]:
    """Return the values whose combinations are worth a look: the most evidence, at most three of a dimension."""
    chosen: list[tuple[str, str]] = []
    for effect in found:
        ((name, value),) = effect.where
        if effect.kind == "segment" and sum(1 for other, _ in chosen if other == name) < 3:
            chosen.append((name, value))
    return chosen[:most]


def pairs_of(
    change: NumberChange, chosen: Sequence[tuple[str, str]], masks: Sequence[tuple[int, Counts]]
) -> list[Explanation]:
    """Return the effects of all pairs of the chosen values. `masks` are cells by the values they have: bit n is set
    for value n.
    """
    found: list[Explanation] = []
    for one, (name, value) in enumerate(chosen):
        for two, (other_name, other_value) in enumerate(chosen[:one]):
            if name == other_name:
                continue
            wanted = 1 << one | 1 << two
            cells = [cell for mask, cell in masks if mask & wanted == wanted]
            if not cells:
                continue
            both = cells[0]
            for cell in cells[1:]:
                both = both.plus(cell)
            found.append(change.effect(((other_name, other_value), (name, value)), both))
    return found


def _towards(effects: Iterable[Explanation]) -> list[Explanation]:
    """Return the effects in the direction of the change."""
    return [effect for effect in effects if effect.share > 0]


def _everywhere(change: NumberChange) -> Explanation:
    whole = change.effect((), change.total)
    return Explanation((), whole.actual, whole.expected, 1.0, whole.evidence, "everywhere")


def _of_versions(change: NumberChange, name: str, values: Mapping[str, Counts]) -> list[Explanation]:
    """Return one effect of all versions, named by the one that is new, else by none."""
    listed = {value: cell for value, cell in values.items() if value not in (NONE, OTHER)}
    if not listed:
        return []
    all_of_them = list(listed.values())
    union = all_of_them[0]
    for cell in all_of_them[1:]:
        union = union.plus(cell)
    new = _new_version(change, listed)
    if new is None:
        return []
    effect = change.effect(((name, new),), union)
    return [replace(effect, kind="release")]


def _new_version(change: NumberChange, values: Mapping[str, Counts]) -> str | None:
    """Return the version that no window before has, if it has at least a twentieth of the period."""
    new = {value: cell for value, cell in values.items() if value and cell.is_new}
    if not new or not any(not cell.is_new for cell in values.values()):
        return None
    best = max(new, key=lambda value: new[value].sizes[0])
    size = new[best].sizes[0]
    return best if size and size >= 0.05 * sum(cell.sizes[0] for cell in values.values()) else None


def _release(change: NumberChange, parts: Segments, versions: frozenset[str]) -> Explanation | None:
    """Return the release that came with a change of all users."""
    for name, values in parts.items():
        if name not in versions:
            continue
        listed = {value: cell for value, cell in values.items() if value not in (NONE, OTHER)}
        if new := _new_version(change, listed):
            whole = _everywhere(change)
            return Explanation(((name, new),), whole.actual, whole.expected, 1.0, whole.evidence, "release")
    return None


def _mix(change: NumberChange, parts: Segments) -> Explanation | None:
    """Return the dimension whose mix explains at least half of a change of a rate, and changed more than before."""
    best: tuple[float, Explanation] | None = None
    for name, values in parts.items():
        whole = list(with_rest(change, values).items())
        before = [change.before(cell) for _, cell in whole]
        after = [(cell.counts[0], cell.units[0]) for _, cell in whole]
        by_mix = split_of_rate(before, after).by_mix
        share = _share(by_mix, change.by)
        surprise = abs(by_mix) / max(_reach_of_mix(change, [cell for _, cell in whole], before), 1e-12)
        if share >= _MIX_SHARE and surprise > 1 and (best is None or surprise > best[0]):
            value = _moved(before, after)
            old, new = (_rate(one[value][1], sum(size for _, size in one)) for one in (before, after))
            where = ((name, whole[value][0]),)
            best = surprise, Explanation(where, new, old, share, surprise, "mix")
    return best[1] if best else None


def _reach_of_mix(change: NumberChange, cells: Sequence[Counts], before: Sequence[tuple[float, float]]) -> float:
    """Return how far chance moves a rate by its mix: as in the windows before, and at least as counting has it."""
    moved: list[float] = []
    for at, weight in enumerate(change.baseline.weights, start=1):
        if weight and sum(cell.units[at] for cell in cells):
            moved.append(split_of_rate(before, [(cell.counts[at], cell.units[at]) for cell in cells]).by_mix)
    units, whole = sum(size for _, size in before), _rate(*_sums(before))
    spread = sum(_rate(size, units) * (_rate(part, size) - whole) ** 2 for part, size in before)
    noise = sqrt(2 * spread / max(change.total.units[0], 1.0))
    seen = max(pstdev(moved), 1.4826 * median(abs(one) for one in moved)) if moved else 0.0
    return max(_SEEN * seen, _COUNTED * noise)


def _moved(before: Sequence[tuple[float, float]], after: Sequence[tuple[float, float]]) -> int:
    """Return the part whose share moved the rate most."""
    whole = _rate(*_sums(before))
    old, new = _sums(before)[1], _sums(after)[1]

    def moves(at: int) -> float:
        part, size = before[at]
        rate = _rate(part, size) if size else _rate(*after[at])
        return abs((_rate(after[at][1], new) - _rate(size, old)) * (rate - whole))

    return max(range(len(before)), key=moves)


def _without_doubles(effects: Sequence[Explanation]) -> list[Explanation]:
    """Return the effects; those with the same numbers are one, and the others its `alike`."""
    kept: list[Explanation] = []
    for effect in effects:
        twin = next((at for at, one in enumerate(kept) if _are_alike(one, effect)), None)
        if twin is None:
            kept.append(effect)
        elif kept[twin].where[0][0] != effect.where[0][0]:
            release = kept[twin].kind == "segment" and effect.kind == "release"
            one, two = (effect, kept[twin]) if release else (kept[twin], effect)
            kept[twin] = Explanation(
                one.where, one.actual, one.expected, one.share, one.evidence, one.kind,
                (*kept[twin].alike, two.where),
            )  # fmt: skip
    return kept


def _are_alike(one: Explanation, two: Explanation) -> bool:
    return all(
        abs(a - b) <= _ALIKE * max(abs(a), abs(b), 1e-9)
        for a, b in ((one.actual, two.actual), (one.expected, two.expected), (one.share, two.share))
    )


def _sums(cells: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return sum(part for part, _ in cells), sum(size for _, size in cells)


def _rate(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
