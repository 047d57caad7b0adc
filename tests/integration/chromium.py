"""A Chromium for tests of what a browser makes of our pages."""

import json
import os
import subprocess
import tempfile
import time

from examples_test import PATIENCE


class Chromium:
    """A headless Chromium, told what to do through its pipe (Chrome DevTools Protocol)."""

    def __init__(self, *flags):
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        to_browser, self.out = os.pipe()
        self.into, from_browser = os.pipe()
        command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run",
                   "--disable-background-networking", "--disable-component-update", "--ignore-certificate-errors",
                   f"--user-data-dir={self.folder.name}", *flags, "about:blank"]
        self.process = subprocess.Popen(["bash", "-c", f'exec "$@" 3<&{to_browser} 4>&{from_browser}', "-", *command],
                                        pass_fds=(to_browser, from_browser), stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        self.buffer = b""
        self.asked = 0
        self.complaints = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self.out)
        os.close(self.into)
        self.folder.cleanup()

    def next_message(self):
        while b"\0" not in self.buffer:
            block = os.read(self.into, 1 << 16)
            if not block:
                raise AssertionError("Chromium has ended")
            self.buffer += block
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def ask(self, method, session=None, **params):
        self.asked += 1
        request = {"id": self.asked, "method": method, "params": params} | ({"sessionId": session} if session else {})
        os.write(self.out, json.dumps(request).encode() + b"\0")
        while (message := self.next_message()).get("id") != self.asked:
            said = message.get("method")
            console_error = said == "Runtime.consoleAPICalled" and message["params"]["type"] == "error"
            if said in ("Runtime.exceptionThrown", "Log.entryAdded") or console_error:
                self.complaints.append(message["params"])
        if "error" in message:
            raise AssertionError(f"{method}: {message['error']}")
        return message["result"]

    def open(self, url, page_class=None, **media):
        """A page; `media`: features as CSS asks for them, prefers_color_scheme="dark"."""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Runtime", "Log", "Page"):
            self.ask(f"{domain}.enable", session)
        features = [{"name": name.replace("_", "-"), "value": value} for name, value in media.items()]
        self.ask("Emulation.setEmulatedMedia", session, features=features)
        self.ask("Page.navigate", session, url=url)
        return (page_class or Page)(self, session)


class Page:
    def __init__(self, browser, session):
        self.browser, self.session = browser, session

    def run(self, script):
        result = self.browser.ask("Runtime.evaluate", self.session, expression=script, returnByValue=True)
        if "exceptionDetails" in result:
            raise AssertionError(f"{script}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def press(self, key, code=None):
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if key == "Enter" and kind == "keyDown" else {}
            self.browser.ask("Input.dispatchKeyEvent", self.session, type=kind, key=key, code=code or key,
                             windowsVirtualKeyCode={"Enter": 13, "Escape": 27, "Tab": 9}[key], **text)

    def wait_for(self, script):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                if value := self.run(script):
                    return value
            except AssertionError:
                pass  # the page is not there yet
            time.sleep(0.02)
        raise AssertionError(f"never true: {script}; {self.run('document.body.innerText')}")
