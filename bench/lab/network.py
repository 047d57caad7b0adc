"""Private networks to measure in: made for one run, gone with it.

A namespace lives as long as the process that holds it. That process waits on a pipe from us, so the
kernel removes everything when we end, however we end. Nothing is named, nothing on the host changes.
"""

import ctypes
import os
import resource
import shutil
import signal
import subprocess
import sys

SERVER_ADDRESS = "10.77.0.1"
CLIENT_ADDRESS = "10.77.0.2"
MSS = 1500 - 20 - 20 - 12  # Ethernet frame less IP, TCP and the timestamp option
TIME_WAIT = "06"  # state column of /proc/net/tcp: include/net/tcp_states.h
LISTEN = "0A"

_INSIDE = "DWELL_BENCH_INSIDE"  # set in the copy of ourselves that runs in a user namespace


class Unavailable(Exception):
    """This machine does not let us make network namespaces; says why."""


def become_able(allow_failure=False):
    """Makes sure that namespaces can be made, re-executing ourselves in a user namespace if that
    is what it takes. True if they can; False only with allow_failure."""
    if not all(shutil.which(tool) for tool in ("ip", "unshare", "nsenter")):
        reason = "needs ip, unshare and nsenter (apt install iproute2 util-linux)"
    elif _works(["unshare", "--net", "true"]):
        return True
    elif _INSIDE not in os.environ and _works(["unshare", "-Urn", "true"]):
        os.environ[_INSIDE] = "1"
        os.execvp("unshare", ["unshare", "-Ur", "--", sys.executable, *sys.argv])
    else:
        reason = "neither root nor allowed to make user namespaces (kernel.unprivileged_userns_clone)"
    if allow_failure:
        return False
    raise Unavailable(reason)


def _works(command):
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def cores():
    """One CPU for the server and one for the client; the same one if there is no other."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


def disturbance():
    """A sentence about other work on this machine; empty when there is next to none."""
    load = os.getloadavg()[0]
    if load < 0.7:
        return ""
    return (f"The load average is {load:.1f}: other work runs on this machine. Rates and latencies "
            "show that;\nratios of CPU time and counts do so less.")


def _may_go_first():
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        return False
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return True


class Namespace:
    """One network namespace."""

    def __init__(self):
        self.holder = subprocess.Popen(
            ["unshare", "--net", "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            start_new_session=True)  # Ctrl-C is for us to handle
        self.holder.stdin.write(b"up\n")
        self.holder.stdin.flush()
        if not self.holder.stdout.readline():  # echoed by cat: the namespace exists
            raise Unavailable("unshare --net failed")
        self.pid = self.holder.pid

    def command(self, argv):
        return ["nsenter", "--target", str(self.pid), "--net", "--", *argv]

    def shell(self, script):
        done = subprocess.run(self.command(["sh", "-ec", script]), capture_output=True, text=True)
        if done.returncode != 0:
            raise Unavailable(f"setting up the network: {done.stderr.strip()}")

    def sockets(self):
        """{state: count} over IPv4 and IPv6, listeners left out."""
        counts = {}
        for table in ("tcp", "tcp6"):
            with open(f"/proc/{self.pid}/net/{table}") as lines:
                next(lines)
                for line in lines:
                    state = line.split(None, 4)[3]
                    if state != LISTEN:
                        counts[state] = counts.get(state, 0) + 1
        return counts

    def listens(self, port):
        with open(f"/proc/{self.pid}/net/tcp") as lines:
            return any(f":{port:04X} " in line and f" {LISTEN} " in line for line in lines)

    def close(self):
        self.holder.stdin.close()
        self.holder.wait()
        self.holder.stdout.close()


class HostNamespace:
    """The last resort: the host's own network."""

    pid = os.getpid()

    def command(self, argv):
        return list(argv)

    sockets = Namespace.sockets

    def close(self):
        pass


class Network:
    """A server side and a client side. Use with `with`."""

    def __init__(self, kind, steer=False):
        """kind: 'veth' (two namespaces), 'lo' (one), 'host' (none).
        steer: the receive work of `lo` is done on the server's core, not on the sender's, so that
        short connections are bound by the server."""
        self.kind = kind
        self.server_core, self.client_core = cores()
        self.namespaces = []
        self._processes = []
        self._goes_first = False
        try:
            self._build(steer)
        except BaseException:
            self.close()
            raise

    def _build(self, steer):
        if self.kind == "host":
            self.server = self.client = HostNamespace()
            self.address = "127.0.0.1"
            return
        self.server = self._namespace()
        if self.kind == "lo":
            self.client = self.server
            self.address = "127.0.0.1"
        else:
            self.client = self._namespace()
            self.address = SERVER_ADDRESS
            self.server.shell(
                f"ip link add veth0 type veth peer name veth0 netns {self.client.pid}\n"
                f"ip address add {SERVER_ADDRESS}/24 dev veth0; ip link set veth0 up")
            self.client.shell(f"ip address add {CLIENT_ADDRESS}/24 dev veth0; ip link set veth0 up")
        for side in self.namespaces:
            side.shell("ip link set lo up\n"
                       # The limit measured is the server, not the port range of one client.
                       "echo 1024 65535 > /proc/sys/net/ipv4/ip_local_port_range\n"
                       "echo 1000000 > /proc/sys/net/ipv4/tcp_max_tw_buckets")
        if steer:
            mask = f"{1 << self.server_core:x}"
            # sysfs shows the namespace in which it was mounted.
            try:
                self.server.shell("unshare --mount sh -ec '"
                                  "mount -t sysfs sysfs /sys; "
                                  f"echo {mask} > /sys/class/net/lo/queues/rx-0/rps_cpus'")
            except Unavailable:
                raise Unavailable("steering receive work to one core (rps_cpus) needs root") from None

    def _namespace(self):
        made = Namespace()
        self.namespaces.append(made)
        return made

    def go_first(self):
        """What is started from now on runs before all other work on this machine (SCHED_FIFO), which would show in
        every figure. False: that is not allowed here."""
        self._goes_first = _may_go_first()
        return self._goes_first

    def start(self, side, argv, **popen):
        """Starts argv on one side, pinned to that side's core."""
        core = self.server_core if side == "server" else self.client_core
        namespace = self.server if side == "server" else self.client

        def prepare():
            os.sched_setaffinity(0, {core})
            if self._goes_first:
                os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
            _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: not to outlive us

        process = subprocess.Popen(namespace.command(argv), preexec_fn=prepare, text=True, **popen)
        self._processes.append(process)
        return process

    def time_wait(self):
        """(server side, client side), once nothing is on its way there any more."""
        server, client = self.server.sockets(), self.client.sockets()
        return server.get(TIME_WAIT, 0), client.get(TIME_WAIT, 0)

    def close(self):
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        for namespace in self.namespaces:
            namespace.close()
        self.namespaces = []

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()
