"""Stable pseudonyms in place of personal data.

A pseudonym is the kind of its value and 48 bits of a keyed hash: the same value has the same pseudonym for one key, and
without the key nobody can test a guess. 48 bits keep a million values apart with a chance of 99.8 percent.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import ip_address
from typing import Any, cast

from ..json import is_list, is_object
from .names import Subject, kind_of

DOMAIN = "redacted.invalid"
"""The domain of email pseudonyms, which cannot exist (RFC 2606)."""
PSEUDONYM = re.compile(r"(?<![\w-])(?:email|name|phone|address|ip|user|text)-[0-9a-f]{12}(?![\w-])")

_EMAIL = re.compile(r"[\w.+~#$!*^-]{1,64}(?:@|%40)(?:[\w-]{1,63}\.)+[^\W\d_]{2,24}(?![\w-])", re.IGNORECASE)
_IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.]*\w)")
_IPV6 = re.compile(
    r"(?<![\w:.])[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?:\d{0,3}(?:\.\d{1,3}){3})?(?![\w:])", re.IGNORECASE
)
_PHONE = re.compile(
    r"(?<![\w.+@/%-])(?:"
    r"\+\d(?:[ .()/-]{0,2}\d){7,14}"
    r"|\(\d{3}\) ?\d{3}[ .-]\d{4}|\d{3}[ .-]\d{3}[ .-]\d{4}"
    r"|\(?0\d{1,4}\)?[ /-]\d{3,8}(?:[ -]\d{2,6}){0,3}"
    r")(?![\w-])"
)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_DOMAIN_FILTER = re.compile(r"@[\w.-]+")
_PERSONS = frozenset(
    [
        "person",
        "person_properties",
        "$set",
        "$set_once",
        "properties",
        "created_by",
        "last_modified_by",
        "user",
        "actor",
    ]
)
"""Fields that contain a person or the properties of one."""
_MARKS_OF_PERSONS = frozenset(["distinct_id", "distinct_ids", "is_identified", "first_name", "email"])
"""Fields of objects that are about a person."""
_NUMERIC: frozenset[Subject] = frozenset([Subject.PHONE, Subject.IP, Subject.USER, Subject.ADDRESS])
_KEPT = ("$$_posthog", "[redacted]")
_LONGEST_JSON = 1_000_000


class Pseudonyms:
    """Replaces personal data by pseudonyms of one key."""

    def __init__(self, key: bytes) -> None:
        self._key = hashlib.sha256(key).digest()

    def of(self, kind: Subject, value: str | int | float) -> str:
        """Return the pseudonym of one value. Case and surrounding space make no difference."""
        known = str(value).strip().casefold().replace("%40", "@")
        digest = hashlib.blake2b(known.encode("utf-8", "replace"), key=self._key, digest_size=6).hexdigest()
        return f"{kind}-{digest}" + (f"@{DOMAIN}" if kind is Subject.EMAIL else "")

    def text(self, value: str) -> str:
        """Return a text with its emails, IP addresses and phone numbers replaced."""
        if "@" in value or "%40" in value:
            value = _EMAIL.sub(self._email, value)
        if value.count(".") >= 3:
            value = _IPV4.sub(self._ip, value)
        if value.count(":") >= 2:
            value = _IPV6.sub(self._ip, value)
        return _PHONE.sub(self._phone, value)

    def whole(self, kind: Subject, value: Any, *, numbers: bool | None = None) -> Any:
        """Return the value of a personal field replaced as a whole, each item of a list for itself.

        Null, booleans and uuids are kept. `numbers` tells whether numbers are replaced; by default those that can be a
        phone number or a coordinate.
        """
        if isinstance(value, str):
            return self._whole_text(kind, value)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return self.of(kind, value) if (kind in _NUMERIC if numbers is None else numbers) else value
        if isinstance(value, (list, tuple)):
            return [self.whole(kind, item, numbers=numbers) for item in cast("Sequence[Any]", value)]
        if is_object(value):
            return {self.text(key): self.whole(kind, item, numbers=numbers) for key, item in value.items()}
        return value

    def value(self, value: Any, *, of_person: bool = False) -> Any:
        """Return a JSON value with personal data replaced, by the names of its fields and by patterns in its texts.

        `of_person` is true for what is known to be about a person or an event.
        """
        if isinstance(value, str):
            return self._inner_json(value) if value[:1] in ("{", "[") else self.text(value)
        if isinstance(value, (list, tuple)):
            return [self.value(item, of_person=of_person) for item in cast("Sequence[Any]", value)]
        if is_object(value):
            return self._object(value, of_person)
        return value

    def patterns(self, sent: Any) -> Any:
        """Return a JSON value with personal data replaced by patterns alone; equal to it when there is nothing to
        replace. Pictures are kept.
        """
        if isinstance(sent, str):
            return self.text(sent)
        if isinstance(sent, (list, tuple)):
            return [self.patterns(item) for item in cast("Sequence[Any]", sent)]
        if is_object(sent):
            return {name: item if name in ("data", "blob") else self.patterns(item) for name, item in sent.items()}
        return sent

    def _whole_text(self, kind: Subject, value: str) -> str:
        if not value.strip() or value.startswith(_KEPT) or _UUID.fullmatch(value) or is_pseudonym(value):
            return value
        found = self.text(value)
        return found if is_pseudonym(found) else self.of(kind, value)

    def _inner_json(self, value: str) -> str:
        """Return JSON in a text with its fields replaced; a text that is not JSON by patterns alone."""
        try:
            parsed = json.loads(value) if len(value) <= _LONGEST_JSON else None
        except (ValueError, RecursionError):
            parsed = None
        if parsed is None:
            return self.text(value)
        changed = self.value(parsed, of_person=True)
        return value if changed == parsed else json.dumps(changed, ensure_ascii=False, separators=(",", ":"))

    def _object(self, fields: Mapping[str, Any], of_person: bool) -> dict[str, Any]:
        of_person = of_person or not _MARKS_OF_PERSONS.isdisjoint(fields)
        shown = {self.text(name): self._field(name, item, of_person) for name, item in fields.items()}
        if (kind := _condition_on(fields)) and "value" in fields:
            shown["value"] = self._compared(kind, fields["value"])
        columns, rows = fields.get("columns"), fields.get("rows")
        if isinstance(columns, (list, tuple)) and isinstance(rows, (list, tuple)):
            kinds = [kind_of(str(name)) for name in cast("Sequence[Any]", columns)]
            if any(kinds):
                shown["rows"] = [self.row(kinds, row) for row in shown["rows"]]
        return shown

    def row(self, kinds: Iterable[Subject | None], row: Any) -> Any:
        """Return a row with the cells of personal columns replaced."""
        if not is_list(row):
            return row
        return [self.whole(kind, cell) if kind else cell for kind, cell in zip(kinds, row, strict=False)]

    def _field(self, name: str, item: Any, of_person: bool) -> Any:
        kind = kind_of(name, of_person=of_person)
        if kind and not is_object(item):
            return self.whole(kind, item)
        return self.value(item, of_person=bool(kind) or name in _PERSONS)

    def _compared(self, kind: Subject, value: Any) -> Any:
        """Return the value of a condition. The domain of an email names no person, and flags are read by it."""
        if isinstance(value, list):
            return [self._compared(kind, item) for item in cast("list[Any]", value)]
        return value if isinstance(value, str) and _DOMAIN_FILTER.fullmatch(value) else self.whole(kind, value)

    def _email(self, found: re.Match[str]) -> str:
        return found[0] if found[0].casefold().endswith(f"@{DOMAIN}") else self.of(Subject.EMAIL, found[0])

    def _ip(self, found: re.Match[str]) -> str:
        try:
            address = ip_address(found[0])
        except ValueError:
            return found[0]
        return found[0] if address.is_loopback or address.is_unspecified else self.of(Subject.IP, found[0])

    def _phone(self, found: re.Match[str]) -> str:
        digits = re.sub(r"\D", "", found[0])
        return self.of(Subject.PHONE, ("+" if found[0].startswith("+") else "") + digits)


def is_pseudonym(value: str) -> bool:
    """Return whether a text is one pseudonym and nothing else."""
    return PSEUDONYM.fullmatch(value.removesuffix(f"@{DOMAIN}")) is not None


def pseudonym_in(value: Any, path: str = "") -> tuple[str, str] | None:
    """Return the first pseudonym in a JSON value, and the name of the argument that has it."""
    if isinstance(value, str):
        return (path, found[0]) if (found := PSEUDONYM.search(value)) else None
    pairs: Iterable[tuple[str, Any]] = ()
    if is_object(value):
        pairs = ((f"{path}.{name}" if path else name, item) for name, item in value.items())
    elif isinstance(value, (list, tuple)):
        pairs = ((path, item) for item in cast("Sequence[Any]", value))
    look: Callable[[Any, str], tuple[str, str] | None] = pseudonym_in
    return next((found for name, item in pairs if (found := look(item, name))), None)


def _condition_on(fields: Mapping[str, Any]) -> Subject | None:
    """Return what a property filter compares, if the object is one."""
    key = fields.get("key")
    is_filter = isinstance(key, str) and ("operator" in fields or fields.get("type") in ("person", "event"))
    return kind_of(str(key), of_person=True) if is_filter else None
