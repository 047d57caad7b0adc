"""WebSocket clients that people have, against the chat: `websocket_clients_test.py FOLDER [TEST]`."""

import json
import os
import shutil
import signal
import subprocess
import unittest

from chromium import Chromium, Page
from examples_test import PATIENCE, Server, main, read_to_end


class Node(unittest.TestCase):
    """The package `ws`."""

    def run_script(self, script, *arguments):
        environment = os.environ | {"NODE_PATH": "/usr/share/nodejs", "NODE_TLS_REJECT_UNAUTHORIZED": "0",
                                    "NODE_NO_WARNINGS": "1"}
        if subprocess.run(["node", "-e", "require('ws')"], env=environment, capture_output=True).returncode != 0:
            self.skipTest("node-ws is not installed")
        prelude = """
const WebSocket = require('ws');
const assert = require('assert');
const once = (what, event) => new Promise((done, fail) => { what.once(event, (...all) => done(all)); what.once('error', fail); });
// Everything that comes is kept, since several things may come at once.
const inbox = (socket, event, read) => {
  const kept = [], waiting = [];
  socket.on(event, (data) => { kept.push(read(data)); if (waiting.length) waiting.shift()(kept.shift()); });
  return () => new Promise((done) => kept.length ? done(kept.shift()) : waiting.push(done));
};
"""
        body = "(async () => {" + script + "})().catch((error) => { console.error(error); process.exit(1); });"
        return subprocess.run(["node", "-e", prelude + body, *arguments], env=environment, capture_output=True, text=True,
                              timeout=PATIENCE)

    def expect(self, script, *arguments):
        ended = self.run_script(script, *arguments)
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
        return ended.stdout.strip()

    TALK = """
const socket = new WebSocket(process.argv[1]);
const heard = inbox(socket, 'message', (data) => JSON.parse(data));
const pong = inbox(socket, 'pong', (data) => data.toString());
await once(socket, 'open');
socket.send('{"name":"ann"}');
assert.deepStrictEqual(await heard(), {joined: 'ann', members: 1});
socket.send('{"text":', {fin: false});
socket.ping('between');
socket.send('"K\\u00e4se', {fin: false});
socket.send(' \\u{1F600}"}', {fin: true});
assert.strictEqual(await pong(), 'between');
assert.deepStrictEqual(await heard(), {from: 'ann', text: 'K\\u00e4se \\u{1F600}'});
socket.close(4001, 'enough');
const [code, reason] = await once(socket, 'close');
console.log(code, reason.toString());
"""

    def test_talks_in_fragments_pings_and_closes(self):
        with Server("websocket_chat", "--threads", "2", "--json") as server:
            self.assertEqual(self.expect(self.TALK, f"ws://{server.where}/chat"), "4001")
            counts = server.await_counts(lambda counts: counts["closed"]["finished"] == 1)
            self.assertEqual(counts["time_wait"]["here"], 1)

    def test_talks_over_tls(self):
        with Server("websocket_chat", "--tls-self-signed", "--json") as server:
            self.assertEqual(self.expect(self.TALK, f"wss://{server.where}/chat"), "4001")
            server.await_counts(lambda counts: counts["closed"]["finished"] == 1)

    def test_hears_why_a_server_goes(self):
        with Server("websocket_chat", "--ping", "off", "--idle", "300ms", "--json") as server:
            gone = """
const socket = new WebSocket(process.argv[1]);
const [code] = await once(socket, 'close');
console.log(code);
"""
            self.assertEqual(self.expect(gone, f"ws://{server.where}/chat"), "1001")
            server.await_counts(lambda counts: counts["closed"]["idle_timeout"] == 1)

    def test_is_told_what_it_does_wrong(self):
        with Server("websocket_chat") as server:
            wrong = """
const socket = new WebSocket(process.argv[1]);
await once(socket, 'open');
eval(process.argv[2]);
const [code] = await once(socket, 'close');
console.log(code);
"""
            for does, code in (("socket.send(Buffer.alloc(5000))", "1009"), ("socket.send('no JSON')", "1003"),
                               ("socket.send(Buffer.from([0xff]), {binary: false})", "1007"),
                               ("socket._socket.write(Buffer.from([0x83, 0x80, 1, 2, 3, 4]))", "1002")):
                with self.subTest(does):
                    self.assertEqual(self.expect(wrong, f"ws://{server.where}/chat", does), code)

    def test_a_page_of_another_host_is_not_let_in(self):
        with Server("websocket_chat", "--origin", "https://friend.example") as server:
            asks = """
const socket = new WebSocket(process.argv[1], {origin: process.argv[2]});
socket.on('open', () => { console.log('open'); process.exit(0); });
socket.on('unexpected-response', (request, response) => { console.log(response.statusCode); process.exit(0); });
await new Promise(() => {});
"""
            for origin, outcome in (("https://evil.example", "403"), ("https://friend.example", "open"),
                                    (f"http://{server.where}", "open")):
                self.assertEqual(self.expect(asks, f"ws://{server.where}/chat", origin), outcome)


class Python(unittest.TestCase):
    """The package `websockets`."""

    def test_talks_pings_and_hears_a_drain(self):
        script = """
import asyncio, json, sys, websockets

async def talk(where):
    async with websockets.connect(where) as socket:
        await socket.send('{"name": "eve"}')
        assert json.loads(await socket.recv()) == {"joined": "eve", "members": 1}
        await socket.send(['{"text"', ': "in ', 'pieces"}'])
        assert json.loads(await socket.recv()) == {"from": "eve", "text": "in pieces"}
        await asyncio.wait_for(await socket.ping(), 10)
        print("ready", flush=True)
        try:
            await socket.recv()
        except websockets.ConnectionClosed as closed:
            print(closed.rcvd.code, flush=True)

asyncio.run(talk(sys.argv[1]))
"""
        python = "/usr/bin/python3"  # Debian's, whichever runs this
        if subprocess.run([python, "-c", "import websockets"], capture_output=True).returncode != 0:
            self.skipTest("python3-websockets is not installed")
        with Server("websocket_chat", "--json") as server:
            with subprocess.Popen([python, "-c", script, f"ws://{server.where}/chat"], stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True) as client:
                self.assertEqual(client.stdout.readline().strip(), "ready")
                code, rest = server.end(signal.SIGTERM)
                self.assertEqual(client.stdout.read().strip(), "1001")
            self.assertEqual(code, 0)
            self.assertEqual(json.loads(rest.splitlines()[-1])["closed"]["drain"], 1)


class Plain(unittest.TestCase):
    def test_curl_is_told_how(self):
        with Server("websocket_chat") as server:
            answer = subprocess.run(["curl", "-si", f"http://{server.where}/chat"], capture_output=True, text=True,
                                    timeout=PATIENCE).stdout
            self.assertIn("426 Upgrade Required", answer)
            self.assertIn("ws://", answer)

    def test_a_connection_that_is_no_member_hears_nothing(self):
        with Server("websocket_chat", "--idle", "1s") as server, server.connect() as other:
            other.sendall(b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n")
            Node.expect(self, Node.TALK, f"ws://{server.where}/chat")
            self.assertEqual(read_to_end(other).count(b"HTTP/1.1 404"), 1)

    run_script = Node.run_script


class Chat(Page):
    def connected(self):
        self.wait_for("document.getElementById('status').textContent === 'connected'")

    def say(self, text):
        self.run(f"at('text').value = {json.dumps(text)}; at('say').requestSubmit()")

    def hears(self, kind, text):
        self.wait_for(f"[...document.querySelectorAll('#said .{kind}')].some((one) => one.lastChild.textContent === {json.dumps(text)})")


class Browser(unittest.TestCase):
    def setUp(self):
        if not shutil.which("chromium"):
            self.skipTest("chromium is not installed")

    def test_two_pages_talk_with_each_other(self):
        with Server("websocket_chat", "--threads", "2", "--json") as server, Chromium() as browser:
            ann, bob = (browser.open(f"http://{server.where}/?name={name}", Chat) for name in ("ann", "bob"))
            ann.connected()
            bob.connected()
            ann.wait_for("at('members').textContent === '2 here'")
            ann.say("Hello, <b>bob</b> \U0001F600")
            ann.hears("mine", "Hello, <b>bob</b> \U0001F600")
            bob.hears("text", "Hello, <b>bob</b> \U0001F600")
            bob.say("Hi")
            ann.hears("text", "Hi")
            self.assertEqual(ann.run("document.querySelectorAll('#said .mine').length"), 1)
            browser.ask("Page.close", bob.session)
            ann.hears("note", "bob left")
            self.assertEqual(browser.complaints, [])
            server.await_counts(lambda counts: counts["closed"]["finished"] >= 1)

    def test_comes_back_after_the_servers_idle_close(self):
        with Server("websocket_chat", "--ping", "off", "--idle", "500ms", "--json") as server, Chromium() as browser:
            page = browser.open(f"http://{server.where}/?name=ann", Chat)
            page.connected()
            page.run("globalThis.first = socket; first.addEventListener('close', (event) => { globalThis.clean = [event.wasClean, event.code]; })")
            page.wait_for("globalThis.clean !== undefined")
            self.assertEqual(page.run("clean"), [True, 1001])
            page.wait_for("socket !== first && socket.readyState === WebSocket.OPEN")
            server.await_counts(lambda counts: counts["closed"]["idle_timeout"] >= 1)

    def test_a_heartbeat_keeps_a_page_that_is_silent(self):
        with Server("websocket_chat", "--ping", "100ms", "--idle", "1s", "--json") as server, Chromium() as browser:
            page = browser.open(f"http://{server.where}/?name=ann", Chat)
            page.connected()
            page.run("globalThis.first = socket; globalThis.since = performance.now()")
            page.wait_for("performance.now() - since > 2500")
            self.assertTrue(page.run("socket === first && first.readyState === WebSocket.OPEN"))


if __name__ == "__main__":
    main()
