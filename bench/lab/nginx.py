"""nginx as a peer: one process, a configuration of its own in a folder that goes with it."""

import pathlib
import resource
import shutil
import subprocess
import tempfile
import time

from lab.programs import Failed, Server

PORT = 8080

# What can make a difference is the same at both: the body, the header fields but for `Server`, no access
# log, no bound on requests per connection, one listener. One process does what one worker does.
CONFIGURATION = """
daemon off;
master_process off;
worker_processes 1;
worker_rlimit_nofile {descriptors};
error_log stderr crit;
pid {folder}/pid;
events {{ use epoll; worker_connections {descriptors}; multi_accept on; }}
http {{
  client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
  uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
  access_log off;
  server_tokens off;
  default_type text/plain;
  charset utf-8;
  keepalive_timeout 60 54;
  keepalive_requests 1000000000;
  server {{
    listen {address}:{port} backlog=4096{secure}
    location = / {{ return 200 "OK"; }}
    {files}
  }}
}}
"""


def find():
    """Its path. Debian keeps it where a user's PATH does not look."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if not found:
        raise Failed("nginx is missing: apt install nginx-light")
    return found


class OwnConfiguration(Server):
    """A server from a package, with a configuration in a folder that goes with it."""

    def __init__(self, network, port, configuration, command):
        """configuration: text in which {folder} is that folder. command: argv for the file."""
        self.folder = tempfile.TemporaryDirectory(prefix="dwell-bench-")
        self.network, self.port, self.lines, self._readers = network, port, [], []
        file = pathlib.Path(self.folder.name) / "configuration"
        file.write_text(configuration.replace("{folder}", self.folder.name))
        self.argv = command(file)
        self.process = network.start("server", self.argv, stdin=subprocess.DEVNULL,
                                     stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.address = f"{network.address}:{port}"
        self._wait_ready()

    def _wait_ready(self):
        deadline = time.monotonic() + 10
        while self.process.poll() is None and time.monotonic() < deadline:
            if self.network.server.listens(self.port):
                return
            time.sleep(0.02)
        self.process.kill()
        raise Failed(f"{self.argv[0]} is not ready: {self.process.stderr.read().strip()}")

    def stop(self, patience=15):
        try:
            return super().stop(patience)
        finally:
            self.process.stderr.close()
            self.folder.cleanup()


# As its manual recommends for files; without open_file_cache every request opens its file, as with Dwell.
FILES = "location /files/ {{ alias {directory}/; sendfile on; }}"

# 16 KiB of memory, put together from variables: a word of the configuration may have 4 KiB at most.
SECURE = """ ssl;
    ssl_certificate {certificate}; ssl_certificate_key {key}; ssl_protocols TLSv1.2 TLSv1.3;
    set $kib "{kib}";
    location = /bytes/16384 {{ default_type application/octet-stream; return 200 "{kibs}"; }}"""


class Nginx(OwnConfiguration):
    """Answers `GET /` with OK, and below /files/ with what is below a directory; started when this returns."""

    def __init__(self, network, directory=None, certificate=None):
        """certificate: files of a certificate and its key, for TLS; then `GET /bytes/16384` is answered too."""
        _, descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)
        secure = ";"
        if certificate:
            secure = SECURE.format(certificate=certificate[0], key=certificate[1], kib="x" * 1024, kibs="$kib" * 16)
        text = CONFIGURATION.format(folder="{folder}", address=network.address, port=PORT,
                                    descriptors=descriptors, secure=secure,
                                    files=FILES.format(directory=directory) if directory else "")
        super().__init__(network, PORT, text,
                         lambda file: [find(), "-p", str(file.parent), "-c", str(file)])
