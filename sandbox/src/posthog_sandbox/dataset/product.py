"""The fictional product, Quillboard, a project board sold by subscription: names that other modules use."""

from .chance import Weighted

SITE = "https://www.quillboard.example"
APP = "https://app.quillboard.example"
OWN_DOMAIN = "quillboard.example"
"""Email domain of the product's own staff, excluded by the filter for test accounts."""

EXPERIMENT_FLAG = "new-checkout"
EXPERIMENT_VARIANTS = ("control", "test")
EXPERIMENT_PROPERTY = f"$feature/{EXPERIMENT_FLAG}"
CHECKOUT_SUCCESS = {"control": 0.42, "test": 0.66}
"""Probability that a checkout ends in a purchase, by variant; before the experiment all users are on `control`."""

BOOLEAN_FLAG = "command-palette"
BOOLEAN_FLAG_SHARE = 0.4

SURVEY_ID = "0197d0c6-5b1e-7d3a-9c41-3f7be21a8e54"
SURVEY_NAME = "How likely are you to recommend Quillboard?"
SURVEY_RATING_QUESTION_ID = "5a2f1c9e-6d0b-4e7a-a8c3-1b9d2e4f6a70"
SURVEY_TEXT_QUESTION_ID = "c81e7b34-92fd-4a65-b0d8-7e3a5c1f2b96"
SURVEY_RATING_QUESTION = "How likely are you to recommend Quillboard to a colleague?"
SURVEY_TEXT_QUESTION = "What is the main reason for your score?"

GROUP_TYPES = ("organization",)
"""Names of the group types in order of their index."""

EVENT_SIGNED_UP = "signed_up"
EVENT_ACTIVATED = "project_created"
EVENT_CHECKOUT = "checkout_started"
EVENT_PURCHASE = "purchase_completed"

LANDING_PAGES = Weighted(
    (
        ("/", 38),
        ("/pricing", 9),
        ("/features", 9),
        ("/templates", 7),
        ("/blog/kanban-for-small-teams", 10),
        ("/blog/weekly-planning", 8),
        ("/blog/remote-standups", 6),
        ("/docs/getting-started", 8),
        ("/docs/api", 5),
    )
)
NEXT_PAGES = Weighted(
    (
        ("/pricing", 30),
        ("/features", 22),
        ("/", 12),
        ("/templates", 12),
        ("/customers", 8),
        ("/docs/getting-started", 8),
        ("/about", 4),
        ("/blog/weekly-planning", 4),
    )
)
APP_PAGES = Weighted(
    (("/boards", 34), ("/boards/{n}", 36), ("/tasks", 14), ("/reports", 8), ("/members", 4), ("/settings", 4))
)
APP_SCREENS = Weighted((("Boards", 40), ("Board", 34), ("Inbox", 16), ("Settings", 10)))

APP_ACTIONS = Weighted(
    (
        ("task_created", 44),
        ("task_completed", 26),
        ("comment_added", 14),
        ("search_performed", 7),
        ("file_uploaded", 5),
        ("report_exported", 2),
        ("invite_sent", 2),
    )
)

PRODUCTS = Weighted(
    (
        (("Pro subscription", "pro", 24.0), 40),
        (("Team subscription", "team", 79.0), 18),
        (("Template pack", "", 15.0), 22),
        (("Extra storage", "", 9.0), 20),
    )
)
"""(name, its plan, price in USD), weighted by how often it is bought."""

EXCEPTIONS = Weighted(
    (
        (("TypeError", "Cannot read properties of undefined (reading 'id')", "boards/card.tsx", "renderCard"), 40),
        (("NetworkError", "Failed to fetch", "api/client.ts", "request"), 35),
        (("ChunkLoadError", "Loading chunk 417 failed.", "router/lazy.ts", "loadRoute"), 15),
        (("RangeError", "Invalid time value", "reports/range.ts", "formatRange"), 10),
    )
)
"""(type, message, source file, function) of common errors."""

CHECKOUT_EXCEPTION = (
    "TypeError",
    "undefined is not an object (evaluating 'wallet.session.begin')",
    "checkout/wallet.ts",
    "beginPayment",
)
"""The exception of the faulty release on the affected browser."""

SURVEY_REASONS = Weighted(
    (
        ("Easy to set up and the team liked it at once.", 22),
        ("Does what we need, reports could be better.", 20),
        ("Search is slow on large boards.", 14),
        ("Too expensive for a small team.", 12),
        ("The mobile app is missing features.", 10),
        ("Great templates!", 12),
        ("I lost work after the last update.", 5),
        ("", 5),
    )
)
SEARCHES = Weighted(
    (("invoice", 20), ("roadmap", 18), ("onboarding", 15), ("q3 planning", 10), ("bug", 22), ("launch", 15))
)
