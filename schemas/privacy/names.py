"""Names of properties and columns that are about one person: contact data, identifiers, free text."""

import re
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache


class Subject(StrEnum):
    """The subject of a value. Pseudonyms begin with it."""

    EMAIL = "email"
    NAME = "name"
    PHONE = "phone"
    ADDRESS = "address"
    IP = "ip"
    USER = "user"
    TEXT = "text"


_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

_EXACT: Mapping[str, Subject] = {
    **dict.fromkeys(("email", "mail", "emailaddress", "mailaddress"), Subject.EMAIL),
    **dict.fromkeys(
        (
            "firstname", "lastname", "fullname", "givenname", "familyname", "surname", "middlename", "maidenname",
            "nickname", "username", "realname", "displayname", "accountholder", "cardholder",
        ),
        Subject.NAME,
    ),
    **dict.fromkeys(
        ("phone", "telephone", "phonenumber", "mobilenumber", "mobilephone", "telephonenumber", "cellphone", "msisdn",
         "whatsapp", "faxnumber", "contactnumber"),
        Subject.PHONE,
    ),
    **dict.fromkeys(
        (
            "address", "street", "streetaddress", "addressline", "postalcode", "postcode", "zip", "zipcode",
            "latitude", "longitude", "lat", "lng", "housenumber",
        ),
        Subject.ADDRESS,
    ),
    **dict.fromkeys(
        ("ip", "ipaddress", "ipaddr", "remoteaddr", "remoteaddress", "ipv4", "ipv6", "macaddress"), Subject.IP
    ),
    **dict.fromkeys(("userid", "useridentifier"), Subject.USER),
    **dict.fromkeys(
        (
            "birthday", "birthdate", "dateofbirth", "dob", "ssn", "socialsecuritynumber", "passport", "passportnumber",
            "taxid", "iban", "creditcard", "cardnumber", "licenseplate", "avatar", "avatarurl", "photourl",
            "profileurl", "linkedinurl", "respondentswrote",
        ),
        Subject.TEXT,
    ),
}  # fmt: skip
"""Endings of names, without separators and digits, wherever they stand: `billing_first_name`, `$geoip_latitude`."""
_OF_A_PERSON: Mapping[str, Subject] = {
    "name": Subject.NAME,
    **dict.fromkeys(("city", "town"), Subject.ADDRESS),
    **dict.fromkeys(
        ("message", "comment", "comments", "feedback", "note", "notes", "bio", "about", "signature"), Subject.TEXT
    ),
}
"""Names that are about a person only among the properties of a person or an event."""
_NAMED_AFTER = frozenset([
    "customer", "contact", "person", "billing", "shipping", "recipient", "sender", "author", "owner",
    "member", "employee", "patient", "guest", "client",
])  # fmt: skip
"""`customer_name` is a person's name, `plan_name` is not."""
_COARSE = frozenset(["geoipcityname"])
_IDENTIFIERS = frozenset([
    "personid", "distinctid", "uuid", "id", "sessionid", "windowid", "deviceid", "anondistinctid", "insertid",
    "sessionrecordingid", "personuuid", "actorid", "userid",
])  # fmt: skip


@lru_cache(maxsize=4096)
def kind_of(name: str, *, of_person: bool = False) -> Subject | None:
    """Return what the values of a property or column are about; None for nothing personal.

    `of_person` is true for properties of persons and events, where `name` and `message` are personal too.
    """
    words = [word.lower() for word in _WORD.findall(name) if not word.isdigit()]
    joined = "".join(words)
    if joined in _COARSE:
        return None
    if joined.startswith("surveyresponse"):
        return Subject.TEXT
    for start in range(max(len(words) - 3, 0), len(words)):
        if found := _EXACT.get("".join(words[start:])):
            return found
    if words[-1:] == ["name"] and _NAMED_AFTER.intersection(words[:-1]):
        return Subject.NAME
    return _OF_A_PERSON.get(joined) if of_person else None


@lru_cache(maxsize=4096)
def identifies(name: str) -> bool:
    """Return whether single persons, devices, sessions or rows can be told apart by a property or column."""
    joined = "".join(word.lower() for word in _WORD.findall(name))
    return joined in _IDENTIFIERS or kind_of(name, of_person=True) is not None
