"""HAProxy as a peer that answers by itself: one process, one thread, a configuration of its own."""

import pathlib
import resource
import shutil
import subprocess
import tempfile

from lab.programs import Failed
from lab.nginx import OwnConfiguration

PORT = 8081

CONFIGURATION = """
global
  nbthread 1
  maxconn {connections}
defaults
  mode http
  option http-keep-alive
  timeout client 60s
  timeout server 60s
  timeout connect 5s
  timeout http-request 10s
  timeout http-keep-alive 60s
frontend answers
  bind {address}:{port} backlog 4096
  http-request return status 200 content-type "text/plain; charset=utf-8" string "OK"
"""


def find():
    """Its path. Debian keeps it where a user's PATH does not look."""
    found = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin")
    if not found:
        raise Failed("haproxy is missing: apt install haproxy")
    return found


class Haproxy(OwnConfiguration):
    """Answers every request with OK; started when this returns."""

    def __init__(self, network):
        _, descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)
        text = CONFIGURATION.format(address=network.address, port=PORT, connections=descriptors // 2 - 100)
        super().__init__(network, PORT, text, lambda file: [find(), "-db", "-f", str(file)])
