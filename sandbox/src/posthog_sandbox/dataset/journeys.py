"""Actions on a visit: look around, sign up, work, check out, answer the survey, run into an error."""

from collections.abc import Mapping
from uuid import NAMESPACE_URL, uuid5

from . import hostile, product
from .chance import Chance
from .people import Company, Json, Person, account, first_known
from .product import SITE
from .story import BROKEN_BROWSER, BROKEN_VERSION, DAY, Story
from .visit import Visit, iso
from .vocabulary import APP_PHONES


def browse(visit: Visit, chance: Chance, pages: int) -> None:
    """Land on the site and look at some pages."""
    landing = chance.pick(product.LANDING_PAGES)
    visit.page(landing, SITE)
    person = visit.person
    if "$initial_current_url" not in person.properties:
        person.learn(first_known(person, f"{SITE}{landing}"))
    for _ in range(pages - 1):
        path = chance.pick(product.NEXT_PAGES)
        if chance.hit(0.5):
            visit.click(path.strip("/").split("/")[0].title() or "Home", path)
        visit.page(path, SITE)
    _stumble(visit, chance, 0.01)
    visit.leave()


def sign_up(visit: Visit, chance: Chance, company: Company | None, plant: bool) -> None:
    """Sign up on the site, be identified and open the application's first page."""
    person = visit.person
    visit.click("Start free", "/signup")
    visit.page("/signup")
    visit.pause(40)
    anonymous = person.distinct_id
    person.company = company
    person.use_id(f"user_{person.number:06d}")
    person.identified = True
    known = account(chance, person, company, iso(visit.clock), plant)
    person.learn(known)
    visit.changed()
    visit.send("$identify", {"$anon_distinct_id": anonymous, "$set": known})
    if company:
        visit.send("$groupidentify", {"$group_type": "organization", "$group_key": company.key})
    visit.pause(1)
    visit.send(product.EVENT_SIGNED_UP, {"method": known["sign_up_method"], "plan": "free"})
    visit.page("/welcome")


def activate(visit: Visit, chance: Chance) -> None:
    """Create the first project and its first tasks."""
    visit.click("New board")
    visit.pause(30)
    visit.send(product.EVENT_ACTIVATED, {"template": chance.one_of(("blank", "kanban", "roadmap", "sprint"))})
    for _ in range(chance.between(1, 3)):
        visit.pause(25)
        visit.send("task_created", {"source": "onboarding"})


def log_in(visit: Visit, chance: Chance) -> None:
    """Log in on a new device: its anonymous id is merged into the person."""
    person = visit.person
    user_id, anonymous = person.distinct_id, chance.uuid7(visit.clock)
    person.use_id(anonymous)
    person.identified = False
    visit.changed()
    visit.page("/login")
    visit.pause(15)
    person.use_id(user_id)
    person.identified = True
    visit.changed()
    visit.send("$identify", {"$anon_distinct_id": anonymous})
    visit.send("logged_in", {"method": person.properties.get("sign_up_method", "email")})


def work(visit: Visit, chance: Chance, plant: bool) -> None:
    """Use the application in a browser."""
    for _ in range(1 + int(chance.skewed(1.5))):
        path = chance.pick(product.APP_PAGES).replace("{n}", str(1 + int(chance.skewed(40))))
        visit.page(path)
        if chance.hit(0.4):
            visit.click(chance.one_of(("Add task", "Filter", "Share", "Open")))
        for _ in range(int(chance.skewed(1.3))):
            _act(visit, chance, plant)
        _stumble(visit, chance, 0.012)
    if chance.hit(0.05):
        call_flag(visit, product.BOOLEAN_FLAG, visit.person.number % 10 < product.BOOLEAN_FLAG_SHARE * 10)


def work_on_phone(visit: Visit, chance: Chance, plant: bool) -> None:
    """Use the mobile application."""
    visit.device = chance.pick(APP_PHONES)
    visit.send("Application Opened", {"from_background": chance.hit(0.6)})
    for _ in range(1 + int(chance.skewed(2.5))):
        visit.pause(12)
        visit.screen(chance.pick(product.APP_SCREENS))
        if chance.hit(0.5):
            _act(visit, chance, plant)


def check_out(visit: Visit, chance: Chance, story: Story) -> None:
    """Start a checkout, which can end in a purchase. On the faulty release the affected browser always fails."""
    person = visit.person
    name, plan, price = chance.pick(product.PRODUCTS)
    visit.page("/upgrade")
    if visit.clock >= story.experiment_from:
        if not person.variant:
            person.variant = product.EXPERIMENT_VARIANTS[chance.below(2)]
            visit.changed()
        call_flag(visit, product.EXPERIMENT_FLAG, person.variant)
    visit.pause(15)
    yearly = bool(plan) and chance.hit(0.25)
    seats = chance.between(1, 8) if plan == "team" else 1
    order: dict[str, Json] = {
        "product": name,
        "billing_period": "year" if yearly else "month" if plan else "once",
        "seats": seats,
    }
    visit.click("Continue to payment")
    visit.send(product.EVENT_CHECKOUT, order)
    visit.pause(30)
    success = chance.hit(product.CHECKOUT_SUCCESS[person.variant or "control"])
    if visit.version == BROKEN_VERSION and visit.device.browser == BROKEN_BROWSER:
        fail(visit, chance)
        return
    if not success:
        return
    revenue = round(price * seats * (10 if yearly else 1), 2)
    visit.send(product.EVENT_PURCHASE, {**order, "revenue": revenue, "currency": "USD", "coupon_used": chance.hit(0.1)})
    if plan:
        person.plan = plan
        person.renews_at = visit.clock + (365 if yearly else 30) * DAY
        person.learn({"plan": plan, "last_purchase_at": iso(visit.clock)})
        visit.changed()


def fail(visit: Visit, chance: Chance) -> None:
    """Fail in the faulty checkout: the person presses the button repeatedly without success."""
    for attempt in range(chance.between(2, 4)):
        if attempt:
            visit.click("Pay now")
            visit.send("$rageclick", {"$event_type": "click", "$el_text": "Pay now"})
        visit.pause(2)
        raise_error(visit, product.CHECKOUT_EXCEPTION, handled=False)


def answer_survey(visit: Visit, chance: Chance, plant: bool) -> None:
    """Show the survey; some people answer it, some dismiss it, some ignore it."""
    survey: dict[str, Json] = {"$survey_id": product.SURVEY_ID, "$survey_name": product.SURVEY_NAME}
    visit.pause(8)
    visit.send("survey shown", survey)
    visit.pause(15)
    luck = chance.unit()
    if luck < 0.38:
        score = chance.between(8, 10) if chance.hit(0.62) else chance.between(2, 7)
        reason = hostile.text(chance, chance.pick(product.SURVEY_REASONS), 0.1, plant)
        submission = chance.uuid7(visit.clock)
        visit.send(
            "survey sent",
            {**survey, **_response(score, reason), "$survey_submission_id": submission, "$survey_completed": True},
        )
    elif luck < 0.75:
        visit.send("survey dismissed", survey)


def renew(visit: Visit) -> None:
    """Renew a subscription; the event comes from the server, without a session."""
    price = 79.0 if visit.person.plan == "team" else 24.0
    visit.send("subscription_renewed", {"revenue": price, "currency": "USD", "billing_period": "month"})


def forge(visit: Visit, chance: Chance, plant: bool) -> None:
    """Send made-up events with the public project token, as a stranger could."""
    for _ in range(chance.between(1, 3)):
        name, key, value = (hostile.text(chance, plain, 1, plant) for plain in ("custom event", "note", "plain text"))
        visit.send(name[:200].strip() or "custom event", {key[:200]: value})
        visit.pause(5)


def call_flag(visit: Visit, key: str, response: str | bool) -> None:
    """Send `$feature_flag_called`, as the SDKs do when code evaluates a flag."""
    properties: dict[str, Json] = {"$feature_flag": key, "$feature_flag_response": response}
    if key != product.EXPERIMENT_FLAG:
        properties[f"$feature/{key}"] = response
    visit.send("$feature_flag_called", properties)


def raise_error(visit: Visit, error: tuple[str, str, str, str], *, handled: bool) -> None:
    """Send `$exception` with one entry in its list."""
    kind, message, source, function = error
    frame: dict[str, Json] = {"filename": source, "function": function, "lineno": 118, "colno": 22, "in_app": True}
    entry: dict[str, Json] = {
        "type": kind,
        "value": message,
        "mechanism": {"type": "onerror", "handled": handled, "synthetic": False},
        "stacktrace": {"type": "resolved", "frames": [frame]},
    }
    fingerprint = f"{kind}:{source}:{function}"
    visit.send(
        "$exception",
        {
            "$exception_issue_id": str(uuid5(NAMESPACE_URL, f"{SITE}/issues/{fingerprint}")),
            "$exception_list": [entry],
            "$exception_types": [kind],
            "$exception_values": [message],
            "$exception_level": "error",
            "$exception_fingerprint": fingerprint,
        },
    )


def _act(visit: Visit, chance: Chance, plant: bool) -> None:
    name = chance.pick(product.APP_ACTIONS)
    visit.pause(30)
    if name == "task_created":  # the most frequent one
        source, is_due = chance.one_of(("board", "shortcut", "import")), "true" if chance.hit(0.4) else "false"
        visit.emit(name, f'"source":"{source}","has_due_date":{is_due}')
    elif details := _details(name, chance, plant):
        visit.send(name, details)
    else:
        visit.emit(name, "")


def _details(name: str, chance: Chance, plant: bool) -> Mapping[str, Json]:
    match name:
        case "search_performed":
            query = hostile.text(chance, chance.pick(product.SEARCHES), 0.05, plant)
            return {"query": query, "result_count": int(chance.skewed(12))}
        case "file_uploaded":
            return {
                "size_bytes": int(chance.skewed(400_000)),
                "file_type": chance.one_of(("pdf", "png", "docx", "csv")),
            }
        case "report_exported":
            return {"format": chance.one_of(("csv", "pdf"))}
        case "invite_sent":
            return {"invite_count": chance.between(1, 5)}
        case _:
            return {}


def _response(score: int, reason: str) -> dict[str, Json]:
    response: dict[str, Json] = {
        "$survey_response": str(score),
        f"$survey_response_{product.SURVEY_RATING_QUESTION_ID}": str(score),
        "$survey_questions": [
            {"id": product.SURVEY_RATING_QUESTION_ID, "question": product.SURVEY_RATING_QUESTION},
            {"id": product.SURVEY_TEXT_QUESTION_ID, "question": product.SURVEY_TEXT_QUESTION},
        ],
    }
    if reason:
        response |= {"$survey_response_1": reason, f"$survey_response_{product.SURVEY_TEXT_QUESTION_ID}": reason}
    return response


def _stumble(visit: Visit, chance: Chance, share: float) -> None:
    if chance.hit(share):
        raise_error(visit, chance.pick(product.EXCEPTIONS), handled=chance.hit(0.5))


def known_customer(chance: Chance, person: Person, company: Company | None, plant: bool) -> None:
    """Turn a new person into one who signed up long before the story starts."""
    person.company = company
    person.plan = chance.one_of(("free", "pro", "team"))
    if person.plan != "free":
        person.renews_at = person.created_at + int(chance.unit() * 30 * DAY)
    person.created_at -= int((20 + 380 * chance.unit()) * DAY)
    person.learn(first_known(person, f"{SITE}/"))
    person.use_id(f"user_{person.number:06d}")
    person.identified = True
    person.learn(account(chance, person, company, iso(person.created_at), plant))
