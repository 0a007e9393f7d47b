"""A developer with a browser: sees the call fail, reads why, tries again; and nothing that is shown can act."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.e2e import inspecting
from tests.e2e.browsing import chromium, clipboard, needed, opened
from tests.e2e.inspecting import exchange, exchanges
from tests.e2e.line import eventually, get, post, request

pytestmark = [needed(), pytest.mark.timeout(120)]

ACCOUNT = "/personal/v5/accounts/FI6593857450293470-EUR/transactions?continuation_key=a%2Bb%3D%3D"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
EXPIRED = get(ACCOUNT).replace(b"Bearer token", b"Bearer an-expired-token")


@pytest.fixture
async def proxy(bank, start_proxy):
    return await start_proxy(bank, inspect=True)


@pytest.fixture
async def browser():
    async with chromium() as browser:
        yield browser


async def saved(download) -> str:
    return Path(await download.path()).read_text()


async def test_a_failing_call_from_its_arrival_to_its_replay(bank, proxy, browser):
    async with opened(browser, proxy) as page:
        await page.get_by_role("heading", name="Waiting for the first call").wait_for()
        assert "#" not in page.url
        await proxy.ask(EXPIRED)
        row = page.get_by_role("option", name="error.token.expired")
        await row.click()
        await page.get_by_role("heading", name="The access token has expired.").wait_for()
        why = await page.get_by_role("region", name="Diagnosis").inner_text()
        assert "What to do" in why
        assert "token_expired" in why

        shown = await exchange(proxy)
        lines = await page.locator(".string .byteline .bytes").all_inner_texts()
        assert [line.removesuffix(" LF").removesuffix("LF") for line in lines[:-1]] == (
            shown["signing_string"].split("\n")[:-1])
        assert lines[-1].endswith("end, no LF")
        await page.keyboard.press("s")
        await eventually_clipboard(page, shown["signing_string"])

        await page.get_by_role("button", name="Copy as curl").click()
        command = await eventually_clipboard(page, re.compile("^# set TOKEN"))
        await inspecting.curl(command.replace("curl ", "curl -s ", 1), TOKEN="a-good-token")
        await page.get_by_role("option", name="accepted by the bank").wait_for()
        assert bank.received[-1].target == ACCOUNT

        await page.get_by_role("button", name="Support bundle").click()
        preview = await page.get_by_label("Support bundle", exact=True).inner_text()
        async with page.expect_download() as download:
            await page.get_by_role("button", name="Save", exact=True).click()
        text = await saved(await download.value)
        assert text.strip() == preview.strip()
        assert shown["bank_message_id"] in text
        assert "FI6593857450293470" not in text
        await page.keyboard.press("Escape")

        await page.get_by_role("button", name="Replay …").click()
        await page.get_by_label("Authorization").fill("a-good-token")
        await page.get_by_role("button", name="Send again").click()
        await page.get_by_role("option", name="accepted by the bank").filter(has_text="replay of 1").wait_for()
        assert b"Authorization: Bearer a-good-token" in bank.received[-1].head


async def eventually_clipboard(page, wanted) -> str:
    found = ""
    for _ in range(300):
        found = await clipboard(page)
        if found == wanted or (isinstance(wanted, re.Pattern) and wanted.search(found)):
            return found
        await page.wait_for_timeout(20)
    raise AssertionError(found)


async def test_a_payment_is_sent_again_only_after_a_yes(bank, proxy, browser):
    await proxy.ask(post("/personal/v4/payments/domestic"))
    async with opened(browser, proxy) as page:
        await page.get_by_role("option", name="POST").click()
        await page.get_by_role("button", name="Replay …").click()
        dialog = page.get_by_role("dialog")
        assert "The bank may act twice" in await dialog.inner_text()
        go = dialog.get_by_role("button", name="Send this POST again")
        assert await go.is_disabled()
        await dialog.get_by_label("Authorization").fill("token")
        await page.keyboard.press("Enter")      # no way around
        assert bank.executions.total == 1
        await dialog.get_by_label("I know, and want it sent again").check()
        await go.click()
        await page.get_by_role("option", name="201").filter(has_text="replay of 1").wait_for()
        assert bank.executions.total == 2


HOSTILE = "<img src=x onerror=hacked=1><script>hacked=1</script></script><b>&amp;"


async def test_hostile_content_is_text(bank, start_proxy, browser, files):
    body = f'{HOSTILE}\x1b[2J\x1b]0;title\x07\u202etxt.exe\u0000'.encode()
    head = (f"HTTP/1.1 401 {HOSTILE}\r\nContent-Type: text/html\r\nX-Request-Id: {HOSTILE}\r\nServer: \x80red\xff\r\n"
            f"Location: javascript:hacked=1\r\nContent-Length: {len(body)}\r\n\r\n")
    async with inspecting.answering(files, head.encode("latin-1") + body) as url:
        proxy = await start_proxy(url, inspect=True)
        await proxy.ask(request("POST", "/a?q=%3Cscript%3E'\"", "Content-Type: text/html", f"User-Agent: {HOSTILE}",
                                f"Accept: \x80{HOSTILE}", body=body))
        await proxy.ask(request("G<script>T", "/", "Host: x"))
        async with opened(browser, proxy) as page:
            for row in await page.get_by_role("option").all():
                await row.click()
                await page.locator(".headline").wait_for()
                assert await page.evaluate("window.hacked") is None
                assert await page.locator("#detail img, #detail script, #detail b:text-is('&'), #rows img").count() == 0
            text = await page.get_by_role("region", name="Request", exact=True).inner_text()
            assert HOSTILE in text
            assert "\\x1b[2J" in text
            assert "\\u202e" in text
            assert "\u202e" not in text
            for name in ("Support bundle", "Compare"):
                await page.get_by_role("button", name=name).click()
                await page.get_by_role("button", name="Close").click()
            for way in ("Hex", "As sent"):
                for button in await page.get_by_role("button", name=way).all():
                    await button.click()
            assert await page.evaluate("window.hacked") is None


async def test_ten_megabytes_and_binary_do_not_hold_up_the_page(bank, proxy, browser):
    await proxy.ask(get("/bytes/10000000"))
    await proxy.ask(post("/echo", bytes(range(256))))
    async with opened(browser, proxy) as page:
        await page.get_by_role("option", name="bytes").click()
        answer = page.get_by_role("region", name="Answer", exact=True)
        assert "10.0 MB, the first 65536 of 10000000 bytes" in await answer.inner_text()
        await answer.get_by_role("button", name="Show").click()
        await page.get_by_role("option", name="POST").click()
        sent = page.get_by_role("region", name="Request", exact=True)
        await sent.filter(has_text="0000f0 f0 f1 f2").wait_for()       # the other exchange's may still be shown


async def test_two_calls_and_an_own_script_are_compared(bank, proxy, browser):
    await proxy.ask(post("/echo", b'{"a":1}'))
    await proxy.ask(post("/echo", b'{"a": 1}'))
    async with opened(browser, proxy) as page:
        await page.get_by_role("option", name="POST").first.click()
        await page.get_by_role("button", name="Compare").click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_label("The other exchange").select_option("1")
        await dialog.get_by_text("The digest is of another body").wait_for()
        shown = await exchange(proxy, 2)
        string = shown["signing_string"]
        own = dialog.get_by_label("What your own script has made")
        await own.fill(string)
        await dialog.get_by_text("Nothing was found that the bank would mind.").wait_for()
        for spoiled, finding in (
                (string.replace(": post", ": POST"), "upper case"),
                (string.replace("host: ", "host:"), "no space behind its colon"),
                (string + "\n", "none at the end"),
                (string.replace("content-type: application/json\n", ""), "other headers"),
                (string.replace("open.nordea.com", "api.nordeaopenbanking.com"), "The host is another one"),
                (string.replace("/echo", "//echo"), "There is //"),
                (r"-H 'Signature: keyId=\"me\",algorithm=\"a\",headers=\"date\",signature=\"ab\"'", "backslashes"),
                ('Signature: Signature keyId="me",algorithm="rsa-sha256",headers="date",signature="ab"', "begins with"),
                ("digest: SHA-256=" + "ab" * 32, "hexadecimal")):
            await own.fill(spoiled)
            await dialog.locator(".findings").get_by_text(finding).first.wait_for()
        sent = dict(pair[:2] for pair in shown["sent_headers"])
        await own.fill(string + "\n\nSignature: " + sent["Signature"].replace('signature="', 'signature="AAAA'))
        await dialog.get_by_text("another private key").wait_for()


async def test_everything_by_keyboard_and_with_a_name(bank, proxy, browser):
    for number in range(3):
        await proxy.ask(get(f"/echo/{number}"))
    await proxy.ask(EXPIRED)
    async with opened(browser, proxy) as page:
        selected = page.locator("[role=option][aria-selected=true]")
        await page.keyboard.press("j")
        assert "error.token.expired" in await selected.inner_text()
        await page.get_by_role("heading", name="The access token has expired.").wait_for()
        await page.get_by_role("listbox").focus()
        await page.keyboard.press("End")
        assert "/echo/0" in await selected.inner_text()
        await page.keyboard.press("ArrowUp")
        assert "/echo/1" in await selected.inner_text()
        pointed = await page.get_by_role("listbox").get_attribute("aria-activedescendant")
        assert pointed == await selected.get_attribute("id")
        await page.keyboard.press("/")
        await page.keyboard.type("expired get")
        assert await page.get_by_role("option").count() == 1
        await page.keyboard.press("Escape")
        assert await page.evaluate("document.activeElement.id") == "rows"
        for key, name in (("?", "Keys"), ("b", "Support bundle"), ("d", "Compare"), ("r", "Replay")):
            await page.keyboard.press(key)
            await page.get_by_role("dialog", name=name).wait_for()
            await assert_named(page)
            await page.keyboard.press("Escape")
            await page.get_by_role("dialog").wait_for(state="detached")
        await assert_named(page)
        await page.keyboard.press("p")
        await proxy.ask(get("/echo/paused"))
        await page.get_by_role("button", name="Resume (1)").click()
        await page.locator("#search").fill("paused")
        await page.get_by_role("option", name="/echo/paused").wait_for()


async def assert_named(page) -> None:
    """Whatever can be reached has a name that can be read out."""
    assert await page.evaluate("""() => [...document.querySelectorAll('button, input, select, textarea, [tabindex], a')]
        .filter((one) => one.offsetParent !== null)
        .filter((one) => !one.textContent.trim() && !one.ariaLabel && !one.labels?.length && !one.title)
        .map((one) => one.outerHTML.slice(0, 120))""") == []


async def test_it_can_be_read_on_a_phone_in_both_schemes(bank, proxy, browser):
    await proxy.ask(post("/echo/a-long-path/with-many-segments/and-a-long-query?" + "key=value&" * 30))
    await proxy.ask(EXPIRED)
    async with opened(browser, proxy, **PHONE) as page:
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            await assert_readable(page)
            await page.get_by_role("option").first.click()
            await page.get_by_role("heading", name="The access token has expired.").wait_for()
            assert not await page.get_by_role("listbox").is_visible()
            await assert_readable(page)
            await page.get_by_role("button", name="All exchanges").click()
            await page.get_by_role("option", name="POST").click()
            await page.get_by_role("region", name="Signature", exact=True).wait_for()
            await assert_readable(page)
            await page.get_by_role("button", name="All exchanges").click()


async def assert_readable(page) -> None:
    """Nothing has to be scrolled sideways, and every text has a contrast of 4.5 to what is behind it (WCAG 1.4.3)."""
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert await page.evaluate("document.getElementById('detail').scrollWidth <= innerWidth")
    assert await page.evaluate(CONTRAST) == []


CONTRAST = """() => {
  const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (color) => {
    const [r, g, b] = numbers(color).slice(0, 3).map((one) => one / 255)
      .map((one) => (one <= .03928 ? one / 12.92 : ((one + .055) / 1.055) ** 2.4));
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const ground = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const color = getComputedStyle(one).backgroundColor;
      if (numbers(color)[3] !== 0) return color;
    }
    return 'rgb(255, 255, 255)';
  };
  const bad = new Set();
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((one) => one.nodeType === 3 && one.textContent.trim());
    if (!own || element.offsetParent === null || element.disabled) continue;
    const [a, b] = [light(getComputedStyle(element).color), light(ground(element))];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) bad.add(`${element.tagName}.${element.className} ${ratio.toFixed(2)} ${element.textContent}`);
  }
  return [...bad];
}"""


async def test_the_token_belongs_to_the_tab_and_the_page_finds_the_proxy_again(bank, proxy, browser):
    await proxy.ask(get("/echo"))
    async with opened(browser, proxy) as page:
        token = inspecting.token(proxy)
        assert await page.get_by_role("option").count() == 1
        assert await page.evaluate("[Object.values(sessionStorage), Object.values(localStorage), document.cookie]") == [
            [token], [], ""]
        await page.reload()
        await page.get_by_role("option").wait_for()
        other = await page.context.new_page()
        await other.goto(page.url)
        await other.get_by_role("heading", name="Token").wait_for()
        assert await other.get_by_role("option").count() == 0
        await other.get_by_label("Token").fill(token)
        await other.get_by_role("button", name="Open").click()
        await other.get_by_role("option").wait_for()
        await other.close()

        proxy.running.inspector._viewers.close()        # as when the proxy starts anew
        await eventually(lambda: len(proxy.running.inspector._viewers) == 1)
        await proxy.ask(get("/personal//accounts"))
        await page.get_by_role("option", name="bad_target").wait_for()
        async with page.expect_download() as download:
            await page.locator("#har").click()
        assert len(json.loads(await saved(await download.value))["log"]["entries"]) == 2
        await page.locator("#clear").click()
        await page.get_by_role("heading", name="Waiting for the first call").wait_for()
        assert await exchanges(proxy) == []
