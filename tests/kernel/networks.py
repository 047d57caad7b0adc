"""Network namespaces of a test's own, and the sockets that tests put there."""

import ctypes
import os
import socket
import subprocess
import time

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)
PATIENCE = 30


def enter_fresh_network(also=0):
    """Moves this process to a network namespace of its own. Returns why not, or nothing."""
    user, group = os.geteuid(), os.getegid()
    flags = CLONE_NEWNET | also | (0 if user == 0 else CLONE_NEWUSER)
    if LIBC.unshare(flags) != 0:
        return f"needs a network namespace; unshare: {os.strerror(ctypes.get_errno())}"
    if user != 0:
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    return ""


def set_sysctl(name, value):
    """In the namespace of this process. Returns why not, or nothing."""
    try:
        with open("/proc/sys/" + name.replace(".", "/"), "w") as file:
            file.write(str(value))
    except OSError as error:
        return f"{name} cannot be set in a network namespace on this kernel: {error.strerror}"
    return ""


def listen(backlog=64, address="127.0.0.1"):
    server = socket.socket()
    server.bind((address, 0))
    server.listen(backlog)
    return server


def eventually(condition, patience=PATIENCE):
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True
