"""What ./dev soak does to its servers: clients of several kinds, and faults."""

import http.client
import os
import random
import resource
import signal
import socket
import ssl
import subprocess
import threading
import time

from server_process import descriptors, read_exactly, reset

MOST_BYTES = 20_000


class Load:
    """Threads that talk until they are told to stop. Counts what they did by kind, and what should not have been."""

    def __init__(self, servers, seed):
        self.servers, self.seed = servers, seed
        self.done, self.failed, self.wrong = {}, {}, []
        self.lock = threading.Lock()
        self.stopped = threading.Event()
        self.unverified = ssl._create_unverified_context()
        self.threads = []

    def run(self, kinds):
        for index, kind in enumerate(kinds):
            self.threads.append(threading.Thread(target=self.repeat, args=[kind, random.Random(self.seed + index)], daemon=True))
            self.threads[-1].start()

    def stop(self):
        self.stopped.set()
        for each in self.threads:
            each.join(60)

    def count(self, what, kind):
        with self.lock:
            what[kind] = what.get(kind, 0) + 1

    def repeat(self, kind, dice):
        while not self.stopped.is_set():
            try:
                getattr(self, kind)(dice)
                self.count(self.done, kind)
            except (OSError, AssertionError, http.client.HTTPException):
                self.count(self.failed, kind)  # a server that is out of descriptors, stopped, or has reaped
                time.sleep(0.05)

    def same(self, kind, said, heard):
        if said != heard:
            with self.lock:
                self.wrong.append(f"{kind}: {len(heard)} bytes that are not what they should be")

    # ── who behaves ──
    def echo_long(self, dice):
        with self.servers["echo"].connect() as peer:
            peer.settimeout(15)
            for _ in range(dice.randrange(1, 60)):
                text = dice.randbytes(dice.randrange(1, MOST_BYTES))
                peer.sendall(text)
                self.same("echo_long", text, read_exactly(peer, len(text)))
                if self.stopped.wait(dice.random() * 0.05):
                    return

    def echo_short(self, dice):
        text = dice.randbytes(dice.randrange(1, 200))
        with self.servers["echo"].connect() as peer:
            peer.sendall(text)
            peer.shutdown(socket.SHUT_WR)
            self.same("echo_short", text, read_exactly(peer, len(text)))
        time.sleep(0.01)

    def http_long(self, dice, server="http", context=None):
        where = self.servers[server].where
        peer = http.client.HTTPSConnection(where, timeout=15, context=context) if context else \
            http.client.HTTPConnection(where, timeout=15)
        try:
            for _ in range(dice.randrange(1, 30)):
                if dice.random() < 0.5:
                    peer.request("GET", f"/bytes/{dice.randrange(1, MOST_BYTES)}")
                    peer.getresponse().read()
                else:
                    body = dice.randbytes(dice.randrange(1, MOST_BYTES))
                    peer.request("POST", "/echo-body", body=body)
                    answer = peer.getresponse()
                    heard = answer.read()
                    if answer.status == 200:
                        self.same(server, body, heard)
                time.sleep(dice.random() * 0.02)
        finally:
            peer.close()

    def tls_long(self, dice):
        self.http_long(dice, "tls", self.unverified)

    def http_short(self, dice):
        peer = http.client.HTTPConnection(self.servers["http"].where, timeout=15)
        peer.request("GET", f"/hello/{dice.randrange(1000)}", headers={"Connection": "close"})
        answer = peer.getresponse()
        heard = answer.read()
        if answer.status == 200 and b"ello" not in heard:
            self.same("http_short", b"Hello", heard)
        peer.close()
        time.sleep(0.01)

    # ── who does not ──
    def resets(self, dice):
        peer = self.servers[dice.choice(["echo", "http", "tls"])].connect()
        peer.sendall(dice.choice([b"", b"GET /download/3000000 HTTP/1.1\r\nHost: a\r\n\r\n", dice.randbytes(300)]) or b"x")
        if dice.random() < 0.5:
            peer.settimeout(1)
            try:
                peer.recv(1000)
            except TimeoutError:
                pass
        reset(peer)
        time.sleep(0.02)

    def half_closes(self, dice):
        with self.servers["http"].connect() as peer:
            peer.settimeout(10)
            peer.sendall(b"GET /download/300000 HTTP/1.1\r\nHost: a\r\n\r\n")
            peer.shutdown(socket.SHUT_WR)
            if dice.random() < 0.8:
                while peer.recv(1 << 16):
                    pass
            else:
                time.sleep(1)  # and reads nothing

    def reads_slowly(self, dice):
        with self.servers["http"].connect(receive_buffer=4096) as peer:
            peer.settimeout(10)
            peer.sendall(b"GET /download/200000 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            while peer.recv(dice.randrange(1, 8_000)) and not self.stopped.wait(0.02):
                pass

    def is_silent(self, dice):
        with self.servers[dice.choice(["echo", "http", "tls"])].connect() as peer:
            peer.settimeout(10)
            while peer.recv(100):
                pass

    def vanishes(self, dice):
        """From an address whose packets are dropped now and then; see Faults."""
        peer = socket.socket()
        peer.settimeout(3)
        try:
            peer.bind(("127.0.0.9", 0))
            host, port = self.servers["echo"].where.rsplit(":", 1)
            peer.connect((host, int(port)))
            for _ in range(30):
                peer.sendall(b"hello")
                peer.recv(100)
                if self.stopped.wait(0.1):
                    break
        finally:
            peer.close()


class Faults:
    """What happens to a server from outside, one after the other."""

    def __init__(self, servers, certificates, dice, network):
        self.servers, self.certificates, self.dice, self.network = servers, certificates, dice, network
        self.happened = {}
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.repeat, daemon=True)

    def run(self):
        if self.network:
            subprocess.run(["nft", "add table inet soak; add chain inet soak in { type filter hook input priority 0; }"], check=True)
        self.thread.start()

    def stop(self):
        self.stopped.set()
        self.thread.join(30)

    def repeat(self):
        kinds = [self.is_stopped, self.lacks_descriptors, self.reloads] + ([self.loses_a_peer] if self.network else [])
        while not self.stopped.wait(self.dice.uniform(1, 4)):
            kind = self.dice.choice(kinds)
            kind()
            self.happened[kind.__name__] = self.happened.get(kind.__name__, 0) + 1

    def pid(self):
        return self.servers[self.dice.choice(list(self.servers))].process.pid

    def is_stopped(self):
        pid = self.pid()
        os.kill(pid, signal.SIGSTOP)
        self.stopped.wait(self.dice.uniform(0.1, 1.5))
        os.kill(pid, signal.SIGCONT)

    def lacks_descriptors(self):
        pid = self.pid()
        own = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (max(8, descriptors(pid) - 2), own[1]))
        self.stopped.wait(self.dice.uniform(0.2, 1))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, own)

    def reloads(self):
        self.certificates.replace(bad=self.dice.random() < 0.2)
        self.servers["tls"].process.send_signal(signal.SIGHUP)
        self.stopped.wait(0.5)
        self.certificates.replace(bad=False)

    def loses_a_peer(self):
        subprocess.run(["nft", "add rule inet soak in ip saddr 127.0.0.9 drop; add rule inet soak in ip daddr 127.0.0.9 drop"], check=True)
        self.stopped.wait(self.dice.uniform(0.5, 4))
        subprocess.run(["nft", "flush chain inet soak in"], check=True)
