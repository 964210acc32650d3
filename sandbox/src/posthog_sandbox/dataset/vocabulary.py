"""Countries, devices, referrers and names of the simulated visitors."""

from typing import NamedTuple

from .chance import Weighted


class Country(NamedTuple):
    """The location of a person; `offset` is its distance from UTC in hours."""

    code: str
    name: str
    continent: str
    city: str
    time_zone: str
    language: str
    offset: int


class Device(NamedTuple):
    """The device of a person; `browser` is empty in the mobile app."""

    type: str
    os: str
    os_version: str
    browser: str
    browser_version: int
    width: int
    height: int


class TrafficSource(NamedTuple):
    """The source of a visit; missing parts are empty strings."""

    channel: str
    referrer: str
    domain: str
    utm_source: str
    utm_medium: str
    utm_campaign: str
    utm_term: str = ""
    utm_content: str = ""


COUNTRIES = Weighted(
    (
        (Country("US", "United States", "NA", "Chicago", "America/Chicago", "en-US", -6), 34),
        (Country("GB", "United Kingdom", "EU", "London", "Europe/London", "en-GB", 0), 11),
        (Country("DE", "Germany", "EU", "Berlin", "Europe/Berlin", "de-DE", 1), 12),
        (Country("FR", "France", "EU", "Paris", "Europe/Paris", "fr-FR", 1), 7),
        (Country("IN", "India", "AS", "Bengaluru", "Asia/Kolkata", "en-IN", 5), 10),
        (Country("BR", "Brazil", "SA", "São Paulo", "America/Sao_Paulo", "pt-BR", -3), 7),
        (Country("JP", "Japan", "AS", "Tokyo", "Asia/Tokyo", "ja-JP", 9), 5),
        (Country("CA", "Canada", "NA", "Toronto", "America/Toronto", "en-CA", -5), 6),
        (Country("AU", "Australia", "OC", "Sydney", "Australia/Sydney", "en-AU", 10), 4),
        (Country("PL", "Poland", "EU", "Kraków", "Europe/Warsaw", "pl-PL", 1), 4),
    )
)

DESKTOPS = Weighted(
    (
        (Device("Desktop", "Windows", "10", "Chrome", 141, 1920, 1080), 34),
        (Device("Desktop", "Mac OS X", "10.15.7", "Chrome", 141, 1512, 982), 14),
        (Device("Desktop", "Linux", "", "Chrome", 140, 1920, 1080), 3),
        (Device("Desktop", "Mac OS X", "10.15.7", "Safari", 26, 1440, 900), 34),
        (Device("Desktop", "Windows", "10", "Microsoft Edge", 141, 1536, 864), 13),
        (Device("Desktop", "Windows", "10", "Firefox", 144, 1920, 1080), 7),
        (Device("Desktop", "Linux", "", "Firefox", 143, 2560, 1440), 4),
    )
)
PHONES = Weighted(
    (
        (Device("Mobile", "iOS", "18.6", "Mobile Safari", 18, 390, 844), 44),
        (Device("Mobile", "Android", "15", "Chrome", 141, 412, 915), 40),
        (Device("Mobile", "Android", "14", "Samsung Internet", 28, 384, 854), 8),
        (Device("Tablet", "iOS", "18.6", "Mobile Safari", 18, 820, 1180), 8),
    )
)
APP_PHONES = Weighted(
    (
        (Device("Mobile", "iOS", "18.6", "", 0, 390, 844), 60),
        (Device("Mobile", "Android", "15", "", 0, 412, 915), 40),
    )
)

_CAMPAIGN, _RETARGET = "autumn-launch", "retargeting"
SOURCES = Weighted(
    (
        (TrafficSource("Direct", "$direct", "$direct", "", "", ""), 30),
        (TrafficSource("Organic Search", "https://www.google.com/", "www.google.com", "", "", ""), 24),
        (TrafficSource("Organic Search", "https://duckduckgo.com/", "duckduckgo.com", "", "", ""), 3),
        (TrafficSource("Organic Search", "https://www.bing.com/", "www.bing.com", "", "", ""), 4),
        (
            TrafficSource(
                "Paid Search",
                "https://www.google.com/",
                "www.google.com",
                "google",
                "cpc",
                _CAMPAIGN,
                "team board",
                "a",
            ),
            8,
        ),
        (
            TrafficSource(
                "Paid Search",
                "https://www.google.com/",
                "www.google.com",
                "google",
                "cpc",
                _CAMPAIGN,
                "kanban tool",
                "b",
            ),
            5,
        ),
        (TrafficSource("Organic Social", "https://www.linkedin.com/", "www.linkedin.com", "", "", ""), 5),
        (TrafficSource("Organic Social", "https://www.reddit.com/", "www.reddit.com", "", "", ""), 4),
        (
            TrafficSource(
                "Paid Social", "https://www.linkedin.com/", "www.linkedin.com", "linkedin", "paid_social", _RETARGET
            ),
            5,
        ),
        (TrafficSource("Email", "$direct", "$direct", "newsletter", "email", "november-digest"), 6),
        (TrafficSource("Referral", "https://tools.review.example/boards", "tools.review.example", "", "", ""), 4),
        (TrafficSource("Referral", "https://news.ycombinator.com/", "news.ycombinator.com", "", "", ""), 2),
    )
)
DIRECT = TrafficSource("Direct", "$direct", "$direct", "", "", "")

FIRST_NAMES = (
    "Ada", "Amir", "Anna", "Ben", "Carla", "Chen", "Dana", "Diego", "Elif", "Emma", "Femi", "Grace", "Hana",
    "Ines", "Ivan", "Jonas", "Kenji", "Lara", "Liam", "Lucía", "Marta", "Mei", "Milan", "Nadia", "Noah", "Nora",
    "Olga", "Omar", "Pavel", "Priya", "Quinn", "Ravi", "Rosa", "Sami", "Sofia", "Tariq", "Tom", "Uma", "Vera",
    "Zoë",
)  # fmt: skip
LAST_NAMES = (
    "Adeyemi", "Almeida", "Berg", "Castro", "Costa", "Dubois", "Evans", "Fischer", "Garcia", "Haddad", "Ito",
    "Jansen", "Kaur", "Kim", "Kowalski", "Larsen", "Lopez", "Martin", "Meyer", "Mori", "Müller", "Nguyen",
    "Novak", "Okafor", "Patel", "Petrov", "Reyes", "Rossi", "Santos", "Sato", "Schmidt", "Silva", "Singh",
    "Smith", "Tanaka", "Torres", "Walker", "Wang", "Weber", "Yilmaz",
)  # fmt: skip
COMPANY_FIRST = (
    "Amber", "Blue", "Bright", "Cedar", "Clear", "Copper", "Delta", "Ember", "Fern", "Granite", "Harbor",
    "Indigo", "Juniper", "Lumen", "Maple", "North", "Ochre", "Pine", "Quartz", "River", "Silver", "Stone",
    "Summit", "Willow",
)  # fmt: skip
COMPANY_SECOND = (
    "Analytics", "Bakery", "Clinic", "Craft", "Design", "Energy", "Foods", "Freight", "Games", "Labs", "Legal",
    "Media", "Optics", "Partners", "Press", "Robotics", "Schools", "Software", "Studio", "Systems", "Textiles",
    "Travel", "Works", "Yachts",
)  # fmt: skip
INDUSTRIES = ("software", "education", "media", "manufacturing", "health", "retail", "agency")
ROLES = Weighted((("member", 55), ("manager", 25), ("owner", 12), ("guest", 8)))
SIGN_UP_METHODS = Weighted((("email", 52), ("google", 36), ("github", 12)))

LOCAL_HOURS = Weighted(enumerate((1, 1, 1, 1, 1, 2, 4, 8, 14, 18, 18, 16, 13, 15, 17, 16, 14, 11, 8, 7, 7, 6, 4, 2)))
"""Relative traffic by hour of the person's local day."""
