"""Every page as a person sees it: no error, nothing from elsewhere, nothing that a screen reader or a keyboard cannot use."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import Request, urlopen

import pytest

from deploy.embedded.stack import Stack
from deploy.traffic.publisher import publish
from deploy.traffic.record import TimedRecord
from streams.clickhouse import connect
from streams.kafka import client_options
from tests.browser.conftest import HOSTILE, SHOWN

PAGES = ("now", "costs", "quality", "topics", "alerts", "calls", "prompts", "switches", "checklist", "health")
SERIOUS = {"serious", "critical"}


class Window:
    """A page that remembers what went wrong in it and whom it asked."""

    def __init__(self, context: Any, base: str) -> None:
        self.base = base
        self.page = context.new_page()
        self.errors: list[str] = []
        self.hosts: set[str] = set()
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda r: self.hosts.add(urlsplit(r.url).netloc))
        self.page.on("dialog", lambda dialog: (self.errors.append("a dialog opened"), dialog.dismiss()))

    def open(self, path: str) -> Any:
        self.page.goto(f"{self.base}/{path}")
        return self.settled()

    def settled(self) -> Any:
        self.page.wait_for_selector(".grid > *", timeout=20_000)
        self.page.wait_for_selector(".grid:not(:has([aria-busy]))", timeout=20_000)
        self.page.wait_for_load_state("networkidle")
        return self.page

    def check(self) -> None:
        assert not self.errors
        assert self.hosts == {urlsplit(self.base).netloc}
        assert not self.page.query_selector("[role=alert]"), self.page.inner_text("main")


@pytest.fixture(params=[("en-US", "light", 1400), ("pt-BR", "dark", 1400), ("pt-BR", "light", 390)],
                ids=["english", "portuguese-dark", "phone"])  # fmt: skip
def window(request: pytest.FixtureRequest, browser: Any, stack: Stack) -> Iterator[Window]:
    locale, scheme, width = request.param
    context = browser.new_context(locale=locale, color_scheme=scheme, viewport={"width": width, "height": 900})
    yield Window(context, stack.dashboard_url)
    context.close()


@pytest.fixture
def plain(browser: Any, stack: Stack) -> Iterator[Window]:
    context = browser.new_context(locale="en-US", viewport={"width": 1400, "height": 900})
    yield Window(context, stack.dashboard_url)
    context.close()


def ask(stack: Stack, sql: str) -> Any:
    client = connect(stack.settings.clickhouse_url)
    try:
        return client.query(sql).result_rows
    finally:
        client.close()


def period_of_calls(stack: Stack) -> str:
    """Of all that there are, as a page's address has it: also where the tests take long."""
    sql = "SELECT toUnixTimestamp(toStartOfMinute(min(time))), toUnixTimestamp(toStartOfMinute(max(time))) + 60 FROM mirante.interactions"
    return "since={}&until={}".format(*ask(stack, sql)[0])


def axe(page: Any) -> list[str]:
    from axe_playwright_python import sync_playwright as bundle

    source = Path(bundle.__file__).with_name("axe.min.js").read_text("utf-8")
    page.evaluate(source)  # the page's policy holds for what it loads, not for what the test gives it
    found = page.evaluate("async () => await axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {one['help']} {one['nodes'][0]['html'][:200]}"
        for one in found["violations"]
        if one["impact"] in SERIOUS
    ]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_and_nothing_is_wrong(window: Window, page: str, screenshots: Path | None) -> None:
    shown = window.open(page)
    window.check()
    assert axe(shown) == []
    width = shown.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert width <= 0, "the page scrolls sideways"
    if screenshots is not None:
        name = f"{page}-{shown.evaluate('document.documentElement.lang')}-{shown.viewport_size['width']}.png"
        shown.screenshot(path=screenshots / name, full_page=True)


@pytest.mark.timeout(900)
def test_every_link_of_every_page_leads_somewhere(plain: Window) -> None:
    """From the first page on, whatever is linked from there, and what from that: one of each kind (path and names of parameters)."""
    ahead, seen = ["/now"], set[str]()
    while ahead:
        link = ahead.pop()
        kind = re.sub(r"=[^&#]*", "=", link)
        if kind in seen:
            continue
        seen.add(kind)
        if link.startswith("/runbooks"):
            plain.page.goto(plain.base + link)
            anchor = urlsplit(link).fragment
            assert plain.page.evaluate("id => document.getElementById(id) !== null", anchor), link
        else:
            plain.open(link.lstrip("/"))
        plain.check()
        links = plain.page.eval_on_selector_all("a[href]", "all => all.map((a) => a.href)")
        outside = [one for one in links if not one.startswith(plain.base)]
        assert not outside, f"{link} leads out of the dashboard"
        ahead += sorted(one.removeprefix(plain.base) for one in links)
    assert {urlsplit(kind).path for kind in seen} >= {f"/{page}" for page in (*PAGES, "call", "runbooks")}


FILTERED = ("now", "costs", "quality", "topics", "alerts", "calls", "prompts", "health")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", FILTERED)
def test_every_filter_can_be_set_and_is_kept_by_the_address(plain: Window, page: str) -> None:
    # Given a page over the last day; when each of its choices is made in turn
    shown = plain.open(f"{page}?range=24h")
    selects = shown.locator("main select")
    for number in range(selects.count()):
        values = selects.nth(number).locator("option").evaluate_all("all => all.map((one) => one.value)")
        present = selects.nth(number).input_value()
        for value in [value for value in values if value != present][:8]:
            plain.open(f"{page}?range=24h")
            selects.nth(number).select_option(value)
            plain.settled()
            # Then it is shown, without an error, and again by whoever opens the address
            assert selects.nth(number).input_value() == value
            plain.open(shown.url.removeprefix(plain.base + "/"))
            assert selects.nth(number).input_value() == value
            plain.check()


@pytest.mark.parametrize("name", ["tenant", "feature", "model", "provider"])
def test_a_filter_counts_what_it_names_and_nothing_else(plain: Window, stack: Stack, name: str) -> None:
    period = period_of_calls(stack)
    sql = f"SELECT {name} AS value, count() FROM mirante.interactions WHERE value != '' GROUP BY value ORDER BY value"
    for value, calls in ask(stack, sql):
        shown = plain.open(f"costs?{period}&{urlencode({name: value})}")
        assert shown.inner_text(".figures .value >> nth=1") == f"{calls:,}", value


def test_calls_are_found_by_what_is_in_them(plain: Window, stack: Stack) -> None:
    (user,), *_ = ask(stack, "SELECT user_id FROM mirante.interactions WHERE user_id LIKE 'u-%' ORDER BY user_id LIMIT 1")
    shown = plain.open("calls?range=24h")
    shown.get_by_label("User").fill(user)
    shown.get_by_role("button", name="Search").click()
    plain.settled()
    ((calls,),) = ask(stack, f"SELECT least(count(), 100) FROM mirante.interactions WHERE user_id = '{user}'")
    shown.wait_for_function("n => document.querySelectorAll('tbody tr').length === n", arg=calls)
    shown.get_by_label("User").fill("")
    shown.get_by_label("Text in question or answer").fill("txt.exe")
    shown.get_by_role("button", name="Search").click()
    plain.settled()
    shown.wait_for_function("() => document.querySelectorAll('tbody tr').length === 5")
    plain.check()


def test_a_search_shows_what_it_has_found_and_can_be_stopped(plain: Window) -> None:
    # Given a search through a week, which has come back with something and is still at its next stretch
    held: list[Any] = []
    answered: list[Any] = []

    def hold(route: Any) -> None:
        if answered:
            held.append(route)
            return
        response = route.fetch()
        answered.extend(response.json()["data"])
        route.fulfill(response=response)

    plain.page.route("**/api/query/calls?*", hold)
    plain.page.goto(f"{plain.base}/calls?range=7d&text=txt.exe")
    # Then what it has found is there, and how far it has come
    plain.page.wait_for_function("() => document.querySelectorAll('tbody tr').length === 5")
    assert "5 found, searched back to" in plain.page.inner_text(".search-state")
    assert axe(plain.page) == []
    # When it is stopped, then nothing more is asked, and the address says where
    plain.page.get_by_role("button", name="Stop").click()
    plain.page.wait_for_selector(".grid:not(:has([aria-busy]))")
    assert len(held) == 1
    assert "back=" in plain.page.url
    held[0].continue_()
    plain.page.unroute("**/api/query/calls?*")
    # Then whoever opens the address gets as far, and can go on to the end
    shown = plain.open(plain.page.url.removeprefix(plain.base + "/"))
    assert "5 found, searched back to" in shown.inner_text(".search-state")
    shown.get_by_role("button", name="Search further back").click()
    plain.settled()
    assert "5 found, the whole period is searched." in shown.inner_text(".search-state")
    assert "back=" not in shown.url
    plain.check()


def test_a_search_in_portuguese_for_what_is_not_there_says_so(browser: Any, stack: Stack) -> None:
    context = browser.new_context(locale="pt-BR")
    window = Window(context, stack.dashboard_url)
    shown = window.open("calls?range=24h&text=nobody-ever-said-this")
    assert "0 encontradas, busca feita em todo o período." in shown.inner_text(".search-state")
    assert "Nenhuma chamada" in shown.inner_text("main")
    window.check()
    context.close()


def test_the_dearest_of_a_period_are_found_although_it_is_searched_in_stretches(plain: Window, stack: Stack) -> None:
    sql = "SELECT response_id FROM mirante.interactions WHERE cost_usd = (SELECT max(cost_usd) FROM mirante.interactions)"
    dearest = {f"/call?{urlencode({'id': response})}" for (response,) in ask(stack, sql)}
    shown = plain.open("calls?range=7d&order=dearest")
    assert shown.locator("tbody tr").count() == 100
    assert shown.locator("tbody tr a").first.get_attribute("href") in dearest
    plain.check()


def test_the_language_is_chosen_by_a_click_and_kept(plain: Window) -> None:
    shown = plain.open("now")
    shown.get_by_role("button", name="Português").click()
    plain.settled()
    for page in PAGES:
        plain.open(page)
        assert shown.evaluate("document.documentElement.lang") == "pt-BR"
        assert "Agora" in shown.inner_text("nav")
    shown.get_by_role("button", name="English").click()
    plain.settled()
    assert "Now" in shown.inner_text("nav")
    plain.check()


def test_filters_are_in_the_url_and_come_back_with_it(plain: Window) -> None:
    shown = plain.open("costs?range=1h")
    before = shown.inner_text(".figures .value >> nth=1")
    shown.get_by_label("Feature").first.select_option("order_agent")
    plain.settled()
    assert "feature=order_agent" in shown.url
    shown.wait_for_function("old => document.querySelectorAll('.figures .value')[1]?.innerText !== old", arg=before)
    after = shown.inner_text(".figures .value >> nth=1")
    plain.open(shown.url.removeprefix(plain.base + "/"))
    assert shown.inner_text(".figures .value >> nth=1") == after
    shown.get_by_role("button", name="Clear filters").click()
    plain.settled()
    assert "feature=" not in shown.url


def test_a_click_on_a_curve_shows_the_calls_behind_the_point(plain: Window, stack: Stack) -> None:
    shown = plain.open(f"now?{period_of_calls(stack)}")
    curve = shown.locator(".u-over").first
    curve.scroll_into_view_if_needed()
    box = curve.bounding_box()
    shown.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] / 2)
    shown.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + box["height"] / 2)
    plain.settled()
    assert urlsplit(shown.url).path == "/calls"
    assert "since=" in shown.url
    plain.check()
    assert shown.locator("tbody tr").count() > 0


def test_the_documents_show_the_first_page(plain: Window, stack: Stack, screenshots: Path | None) -> None:
    """Of one tenant, which publishes nothing hostile."""
    shown = plain.open(f"now?tenant=acme&{period_of_calls(stack)}")
    plain.check()
    assert SHOWN not in shown.inner_text(".grid")
    if screenshots is not None:
        shown.screenshot(path=screenshots / "now.png", full_page=True)


def test_an_alert_tells_its_story(plain: Window, screenshots: Path | None) -> None:
    shown = plain.open("alerts?range=6h")
    shown.locator("tbody a").first.click()
    plain.settled()
    plain.check()
    assert "id=" in shown.url
    assert "What to do" in shown.inner_text("main")
    assert axe(shown) == []
    if screenshots is not None:
        shown.screenshot(path=screenshots / "alert.png", full_page=True)


def test_a_call_is_found_by_its_id_and_by_clicking_alone(
    plain: Window, stack: Stack, screenshots: Path | None
) -> None:
    sql = (
        "SELECT response_id, session_id FROM mirante.interactions"
        " WHERE operation = 'chat' AND response_id != '' AND trace_id != ''"
        " AND trace_id NOT LIKE '<%' ORDER BY time LIMIT 1"
    )
    ((response, session),) = ask(stack, sql)
    shown = plain.open("calls")
    shown.get_by_role("searchbox").or_(shown.get_by_placeholder("resp-…")).fill(response)
    shown.get_by_role("button", name="Find").click()
    plain.settled()
    shown.wait_for_selector(".steps li")
    plain.check()
    assert response in shown.inner_text("main")
    assert axe(shown) == []
    if screenshots is not None:
        shown.screenshot(path=screenshots / "call.png", full_page=True)
    plain.open(f"call?id={session}")
    plain.check()


def test_a_newcomer_sees_the_cost_of_their_own_call_by_clicking_alone(
    plain: Window, stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given the link that `mirante up` prints, open, and a call that somebody publishes as the README has it
    shown, clicks, begun = plain.open("now"), 0, time.monotonic()
    now = datetime.now(UTC).isoformat()
    common = {"time": now, "request_id": "req-newcomer", "model": "gpt-4o-mini"}
    asked = {**common, "event_id": "q-newcomer", "feature": "my_first_feature", "messages": [{"role": "user", "content": "Hello?"}]}
    usage = {"input_tokens": 1_000, "output_tokens": 100}
    said = {**common, "event_id": "a-newcomer", "response_id": "resp-newcomer", "status": "ok", "usage": usage, "output": "Hello."}
    events = {"requests": asked, "responses": said}
    records = [TimedRecord(time.time(), topic, b"n", json.dumps(event).encode()) for topic, event in events.items()]
    with ThreadPoolExecutor(1) as elsewhere:  # Playwright has this thread's event loop
        elsewhere.submit(lambda: asyncio.run(publish(iter(records), **client_options(stack.settings)))).result()
    # When they click Calls, until theirs is there, and then on it
    row = shown.locator("tbody tr", has_text="my_first_feature")
    while not row.count():
        assert clicks < 20, "the call did not come"
        shown.get_by_role("link", name="Calls", exact=True).click()
        clicks += 1
        plain.settled()
        shown.wait_for_timeout(1_000)
    row.get_by_role("link").first.click()
    plain.settled()
    shown.wait_for_selector(".steps li")
    # Then its cost is on the page
    assert re.search(r"US\$ 0\.00021\d*", shown.inner_text("main"))
    plain.check()
    with capsys.disabled():
        print(f"\nthe cost of one's own call: {clicks + 1} clicks, {time.monotonic() - begun:.1f} s from publishing it")


@pytest.fixture(scope="module")
def hostile_switch(stack: Stack) -> None:
    """A switch with a hostile scope and reason."""
    body = json.dumps({"scope": f"feature:{HOSTILE}", "action": "throttle", "limit": 1_000_000, "reason": HOSTILE}).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {stack.dashboard_token}"}
    with urlopen(Request(f"{stack.dashboard_url}/api/switches", body, headers)) as answer:
        assert answer.status == 200
    deadline = time.monotonic() + 30
    while not ask(stack, "SELECT count() FROM mirante.controls WHERE reason LIKE '<script>%'")[0][0]:
        assert time.monotonic() < deadline, "the switch was not stored in time"
        time.sleep(0.5)


@pytest.mark.parametrize("page", [*PAGES, "call", "call of a megabyte", "alert"])
def test_hostile_text_is_shown_as_text(plain: Window, stack: Stack, hostile_switch: None, page: str) -> None:
    alert = "SELECT alert_id FROM mirante.alerts WHERE labels['feature'] LIKE '<script>%' ORDER BY alert_id LIMIT 1"
    paths = {
        "now": "now?range=24h",
        "calls": f"calls?range=24h&text={quote('txt.exe')}",
        "alerts": f"alerts?range=24h&{urlencode({'feature': HOSTILE})}",
        "call": "call?" + urlencode({"id": f"resp-{HOSTILE}-1"}),
        "call of a megabyte": "call?" + urlencode({"id": f"resp-{HOSTILE}-0"}),
        "alert": "alerts?" + urlencode({"id": ask(stack, alert)[0][0]}),
    }
    shown = plain.open(paths.get(page, f"{page}?range=24h"))
    text = shown.inner_text("body")
    assert SHOWN in text, "the test shows nothing hostile on this page"
    assert "\u202e" not in text
    attributes = "all => all.flatMap((one) => [one.title, one.ariaLabel, one.placeholder]).join(' ')"
    assert "\u202e" not in shown.eval_on_selector_all("*", attributes)
    assert not shown.query_selector("main script, main img")
    plain.check()


def test_a_switch_needs_the_token_and_a_reason_and_then_holds(plain: Window, stack: Stack) -> None:
    shown = plain.open("switches")
    shown.get_by_label("Scope").fill("feature:drill")
    shown.get_by_label("Reason").fill("a drill of the browser test")
    shown.get_by_label("Token").fill("wrong")
    shown.get_by_role("button", name="Apply").click()
    shown.wait_for_function("() => document.querySelector('form [role=status]').innerText.includes('token')")
    plain.errors = [error for error in plain.errors if "401" not in error]
    shown.get_by_label("Token").fill(stack.dashboard_token)
    shown.get_by_role("button", name="Apply").click()
    shown.wait_for_selector("td:has-text('feature:drill')", timeout=20_000)
    plain.check()
    shown.get_by_role("button", name="Restore").first.click()
    shown.get_by_label("Reason").fill("the drill is over")
    shown.get_by_role("button", name="Apply").click()
    shown.wait_for_selector("section:has(h2:text-is('In force')):not(:has-text('feature:drill'))", timeout=20_000)


def test_the_token_of_the_link_leaves_the_address(plain: Window, stack: Stack) -> None:
    shown = plain.open(f"switches#token={stack.dashboard_token}")
    assert "token" not in shown.url
    assert shown.get_by_label("Token").input_value() == stack.dashboard_token


def test_a_page_can_be_used_by_keyboard(plain: Window) -> None:
    shown = plain.open("now")
    shown.keyboard.press("Tab")
    assert shown.evaluate("document.activeElement.className") == "skip"
    for _ in range(5):
        shown.keyboard.press("Tab")
    assert shown.evaluate("document.activeElement.closest('nav') !== null")
    shown.keyboard.press("Enter")
    plain.settled()
    plain.check()


def test_a_period_without_data_says_where_the_data_are(plain: Window) -> None:
    shown = plain.open("now?since=1000000000&until=1000003600")
    assert "No calls in this period" in shown.inner_text("main")
    shown.get_by_role("button", name="Show them").click()
    shown.wait_for_selector(".figures")
    plain.check()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"], ids=["same-site", "cross-site"])
def test_other_sites_can_neither_read_nor_switch(browser: Any, stack: Stack, host: str) -> None:
    """A page on another port of this machine: another origin of the same site, and by its other name of another site."""
    import http.server
    import threading

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html><body></body></html>")

        def log_message(self, *words: object) -> None:
            """Quiet."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    context = browser.new_context()
    answered: list[int] = []
    try:
        page = context.new_page()
        page.on("response", lambda answer: answered.append(answer.status) if answer.url.startswith(stack.dashboard_url) else None)
        page.goto(f"http://{host}:{server.server_port}/")
        bodies = {
            "switches": json.dumps({"scope": "global", "action": "kill", "reason": "attack"}),
            "silences": json.dumps({"matchers": {"alertname": ".*"}, "lasts": "1h", "reason": "attack"}),
        }
        attempt = """async ([url, bodies, token]) => {
            const done = (element, kind) => new Promise((resolve) => {
              element.onload = () => resolve(kind === "frame" && element.contentDocument ? "read" : "loaded");
              element.onerror = () => resolve("refused");
              document.body.append(element);
            });
            const make = (tag, values) => Object.assign(document.createElement(tag), values);
            const read = [
              fetch(url + "/api/query/bounds").then((a) => a.text()),
              fetch(url + "/api/query/bounds", {headers: {Authorization: "Bearer " + token}}).then((a) => a.text()),
              fetch(url + "/api/query/bounds", {mode: "no-cors"}).then((a) => a.text()).then((text) => text || "refused"),
              done(make("script", {src: url + "/api/query/bounds"})),
              done(make("script", {src: url + "/static/app.js"})),
              done(make("img", {src: url + "/static/icon.svg"})),
            ];
            const write = Object.entries(bodies).flatMap(([name, body]) => [
              fetch(url + "/api/" + name, {method: "POST", body, headers: {"Content-Type": "application/json",
                Authorization: "Bearer " + token}}).then((a) => a.status),
              fetch(url + "/api/" + name, {method: "POST", body, mode: "no-cors"}).then(() => "refused"),
            ]);
            return Promise.all([...read, ...write].map((one) => one.catch(() => "refused")));
        }"""
        outcomes = page.evaluate(attempt, [stack.dashboard_url, bodies, stack.dashboard_token])
        assert set(outcomes) == {"refused"}
        # A form needs no permission to be sent, and its answer replaces the page
        submit = """([url, body]) => {
            const form = Object.assign(document.createElement("form"), {method: "POST", action: url, enctype: "text/plain"});
            const field = Object.assign(document.createElement("input"), {name: body.slice(0, -1) + ', "x": "', value: '"}'});
            form.append(field);
            document.body.append(form);
            form.submit();
        }"""
        with page.expect_navigation():
            page.evaluate(submit, [f"{stack.dashboard_url}/api/switches", bodies["switches"]])
        # And in a frame of the other page nothing is shown that could be clicked
        page.goto(f"http://{host}:{server.server_port}/")
        with page.expect_response(lambda answer: answer.url.startswith(stack.dashboard_url)):
            page.evaluate("url => document.body.append(Object.assign(document.createElement('iframe'), {src: url}))",
                          f"{stack.dashboard_url}/switches")  # fmt: skip
        page.wait_for_timeout(500)
        frame = page.frames[-1]
        assert frame.url.startswith("chrome-error:") or not frame.query_selector("form")
        assert answered, "no attempt has reached the dashboard"
    finally:
        context.close()
        server.shutdown()
    assert ask(stack, "SELECT count() FROM mirante.controls WHERE scope = 'global'") == [(0,)]
    assert ask(stack, "SELECT count() FROM mirante.alerts WHERE annotations['silenced_by'] != ''") == [(0,)]
