"""The admin's page, as Chromium shows it and as its reader uses it: `admin_page_test.py FOLDER [TEST]`."""

import json
import re
import shutil
import unittest
import urllib.request

from chromium import Chromium, Page
from examples_test import PATIENCE, Server, main, read_to_end


class Admin(Page):
    def rows(self, column="peer"):
        place = ["id", "peer", "service", "state", "phase"].index(column)
        return self.run(f"[...document.querySelectorAll('#connections tbody tr')].map((row) => row.cells[{place}].textContent)")

    def await_rows(self, count):
        self.wait_for(f"document.querySelectorAll('#connections tbody tr').length === {count}")

    def fill_in(self, field, value):
        self.run(f"{{ const field = document.querySelector({json.dumps(field)}); field.value = {json.dumps(value)};"
                 " field.dispatchEvent(new Event('input', {bubbles: true})); }")

    def click(self, selector):
        self.run(f"document.querySelector({json.dumps(selector)}).click()")

    def says(self, selector, text):
        self.wait_for(f"document.querySelector({json.dumps(selector)}).textContent.includes({json.dumps(text)})")

    def answer(self, yes, method=""):
        self.wait_for("document.getElementById('confirm').open")
        self.fill_in("#method", method)
        self.click("#confirm-yes" if yes else "#confirm-no")


class Watched(Server):
    """http_server with an admin, and clients that have said something."""

    def __init__(self, *arguments, clients=3):
        super().__init__("http_server", "--admin", "127.0.0.1:0", *arguments)
        self.admin = self.before[0].removeprefix("admin on ")
        self.clients = []
        for _ in range(clients):
            self.join()

    def join(self):
        client = self.connect()
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        client.recv(1 << 16)
        self.clients.append(client)
        return client

    def __exit__(self, *failure):
        super().__exit__(*failure)
        for client in self.clients:
            client.close()

    def peer(self, which):
        return "%s:%d" % self.clients[which].getsockname()

    def ask(self, path):
        with urllib.request.urlopen(f"http://{self.admin}{path}", timeout=PATIENCE) as answer:
            return answer.read().decode()

    def metric(self, name):
        return float(re.search(rf"^{re.escape(name)} (.*)$", self.ask("/metrics"), re.M)[1])

    def closed(self, reason):
        return self.metric(f'dwell_connections_closed_total{{service="default",reason="{reason}"}}')

    def is_served(self, which):
        self.clients[which].sendall(b"GET /hello/you HTTP/1.1\r\nHost: a\r\n\r\n")
        return b"Hello, you!" in self.clients[which].recv(1 << 16)


class AdminPage(unittest.TestCase):
    def setUp(self):
        if not shutil.which("chromium"):
            self.skipTest("chromium is not installed")

    def open(self, browser, server, host=None, **media):
        page = browser.open(f"http://{host or server.admin}/", Admin, **media)
        page.says("#stage", "running")
        return page

    def test_shows_what_is_open_and_sorts_and_filters_it(self):
        with Watched() as server, Chromium() as browser:
            light, dark = (self.open(browser, server, prefers_color_scheme=scheme) for scheme in ("light", "dark"))
            for page in (light, dark):
                browser.ask("Page.bringToFront", page.session)
                page.await_rows(3)
                page.says("#tiles", "Open3of ")
                self.assertEqual(sorted(page.rows()), sorted(server.peer(i) for i in range(3)))
            self.assertNotEqual(*(page.run("getComputedStyle(document.body).backgroundColor") for page in (light, dark)))

            header = "#connections thead th:first-child"
            for order, ids in (("ascending", ["0.0.1", "0.1.2", "0.2.3"]), ("descending", ["0.2.3", "0.1.2", "0.0.1"])):
                page.click(f"{header} button")
                page.wait_for(f"document.querySelector({json.dumps(header)}).ariaSort === '{order}'")
                page.wait_for(f"[...document.querySelectorAll('#connections tbody th')].map((cell) => cell.textContent).join() === '{','.join(ids)}'")
            page.fill_in("[name=peer]", server.peer(1))
            page.await_rows(1)
            self.assertEqual(page.rows(), [server.peer(1)])
            server.join()
            page.fill_in("[name=peer]", "")
            page.await_rows(4)

            # A name of the server's that is wrong in the reader's eyes is its reader's to mend.
            browser.complaints.clear()
            page.fill_in("[name=min_idle]", "5")
            page.says("#filter-error", "use a whole number and a unit")
            self.assertTrue(all("400" in complaint["entry"]["text"] for complaint in browser.complaints), browser.complaints)
            browser.complaints.clear()
            page.fill_in("[name=min_idle]", "1h")
            page.await_rows(0)
            self.assertTrue(page.run("document.getElementById('filter-error').hidden"))
            self.assertEqual(browser.complaints, [])

    def test_closes_one_and_those_that_match(self):
        with Watched() as server, Chromium() as browser:
            page = self.open(browser, server)
            page.await_rows(3)
            # By the keyboard: Enter asks, Escape is no, and nobody has gone.
            page.run(f"document.querySelector('[aria-label$={json.dumps(server.peer(1))}]').focus()")
            page.press("Enter")
            page.wait_for("document.getElementById('confirm').open && document.activeElement.id === 'confirm-no'")
            page.says("#confirm-title", f"Close {server.peer(1)}?")
            page.press("Escape")
            page.wait_for("!document.getElementById('confirm').open")
            self.assertTrue(server.is_served(1))
            page.press("Enter")
            page.answer(yes=True)
            self.assertEqual(read_to_end(server.clients[1]), b"")
            page.says("#outcome", "One connection closed.")
            server.clients[1].close()
            page.await_rows(2)
            page.says("#ends", "drain1")
            self.assertEqual(server.closed("drain"), 1)

            self.assertTrue(page.run("document.getElementById('close-matching').disabled"), "without a filter")
            page.fill_in("[name=peer]", server.peer(0))
            page.says("#close-matching", "Close 1 that match")
            page.click("#close-matching")
            page.answer(yes=True, method="abort")
            with self.assertRaises(ConnectionResetError):
                server.clients[0].recv(1)
            page.says("#how", "abort1")
            self.assertTrue(server.is_served(2))
            self.assertEqual(browser.complaints, [])

    def test_sets_the_log_level_and_the_limit(self):
        with Watched() as server, Chromium() as browser:
            page = self.open(browser, server)
            page.click("#log-form button")
            page.says("#log-now", "Now debug, back to info in ")
            self.assertEqual(json.loads(server.ask("/log"))["level"], "debug")
            page.fill_in("#limit", "7")
            page.click("#limit-form button")
            page.says("#outcome", "At most 7 connections.")
            page.says("#tiles", "of 7")
            self.assertEqual(json.loads(server.ask("/limits")), {"connections": 7, "open": 3})
            server.await_log("(the page): POST /limits?connections=7")
            self.assertEqual(browser.complaints, [])

    def test_pauses_and_drains_and_says_that_the_server_has_gone(self):
        with Watched() as server, Chromium() as browser:
            page = self.open(browser, server)
            page.click("#pause")
            page.says("#fresh", "paused")
            server.join()
            page.run("globalThis.since = performance.now()")
            page.wait_for("performance.now() - since > 1500")
            page.says("#tiles", "Open3of ")
            page.click("#pause")
            page.says("#tiles", "Open4of ")
            page.click("#drain")
            page.answer(yes=False)
            self.assertTrue(server.is_served(0))
            self.assertEqual(browser.complaints, [])
            with server.connect() as late:
                late.sendall(b"GET /slow/2500 HTTP/1.1\r\nHost: a\r\n\r\n")
                page.click("#drain")
                page.answer(yes=True)
                page.says("#notice", "Draining: idle ones leave, others after their exchange; 1 of 5 connections left")
                for client in server.clients:
                    self.assertEqual(read_to_end(client), b"")
                self.assertIn(b"after 2500 ms", read_to_end(late))
            self.assertEqual(server.process.wait(PATIENCE), 0)
            page.says("#notice", "The server has not answered since ")
            self.assertEqual(page.run("document.body.dataset.stage"), "gone")

    def test_pages_of_others_change_nothing(self):
        resolves = "--host-resolver-rules=MAP evil.example 127.0.0.1"
        with Watched() as server, Chromium(resolves) as browser:
            port = server.admin.rpartition(":")[2]
            # A page of another origin on this machine, and one whose name was resolved to it.
            other = browser.open(f"http://{server.where}/", Admin)
            other.wait_for("document.body.textContent === 'OK'")
            rebound = self.open(browser, server, host=f"evil.example:{port}")
            self.assertEqual(rebound.run("document.querySelector('meta[name=dwell-secret]').content"), "")
            self.assertTrue(rebound.run("document.getElementById('drain').disabled"))
            secret = self.open(browser, server).run("document.querySelector('meta[name=dwell-secret]').content")
            self.assertRegex(secret, "^[0-9a-f]{32}$")
            post = "/close?min_age=0s', {method: 'POST'"
            for page, request in ((other, f"'http://{server.admin}{post}, mode: 'no-cors'}}"),
                                  (other, f"'http://{server.admin}{post}, headers: {{'Dwell-Page': '{secret}'}}}}"),
                                  (rebound, f"'{post}}}"),
                                  (rebound, f"'{post}, headers: {{'Dwell-Page': '{secret}'}}}}")):
                page.run(f"globalThis.done = false; fetch({request}).catch(() => {{}}).finally(() => {{ done = true; }})")
                page.wait_for("done")
            for i in range(3):
                self.assertTrue(server.is_served(i))

    def test_shows_what_peers_say_as_text(self):
        with Watched() as server, Chromium() as browser:
            page = self.open(browser, server)
            page.await_rows(3)
            hostile = "<img src=x onerror=globalThis.harmed=1>\"'"
            page.run("""globalThis.genuine = fetch; globalThis.fetch = async (...all) => {
                const answer = await genuine(...all);
                const hostile = (key, value) => ['service', 'peer', 'listen', 'id'].includes(key) ? %s : value;
                return new Response(JSON.stringify(JSON.parse(await answer.text(), hostile)));
            }""" % json.dumps(hostile))
            page.wait_for("document.querySelector('#connections tbody td').textContent.startsWith('<img')")
            page.says("#next", "<img")
            page.says("#listening", "<img")
            self.assertEqual(page.run("document.querySelectorAll('img').length"), 0)
            self.assertIsNone(page.run("globalThis.harmed"))
            self.assertEqual(browser.complaints, [])


if __name__ == "__main__":
    main()
