#!/usr/bin/env python3
"""Sends ten thousand pipelined requests at once, over and over, and reads the answers: `flood.py ADDR:PORT`.

Says `flooding` once the first answer is here. Ends when it is killed.
"""

import socket
import sys
import threading

REQUESTS = 10_000


def main(address):
    host, port = address.split(":")
    request = b"GET / HTTP/1.1\r\nHost: dwell.test\r\n\r\n"
    with socket.create_connection((host, int(port))) as peer:
        peer.sendall(request)
        answer = len(peer.recv(4096))
        print("flooding", flush=True)
        while True:
            sender = threading.Thread(target=peer.sendall, args=[request * REQUESTS])
            sender.start()
            left = REQUESTS * answer
            while left:
                block = peer.recv(min(left, 1 << 20))
                if not block:
                    sys.exit("flood.py: the server has left")
                left -= len(block)
            sender.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
