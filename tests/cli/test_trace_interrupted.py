"""Ctrl-C in the middle of a trace: what is known so far is drawn."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading

from shell import DEADLINE, environment


def test_an_interrupted_trace_draws_what_it_knows() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        heard = threading.Event()

        def answer_half() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n<p>half")
                heard.set()
                connection.recv(1)  # until the other side is gone

        server = threading.Thread(target=answer_half)
        server.start()
        words = [sys.executable, "-m", "pellucid", "trace", f"http://127.0.0.1:{port}/", "--width", "100"]
        with subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(), start_new_session=True
        ) as process:
            assert heard.wait(DEADLINE)
            while not _received_some(process.pid):
                pass
            os.kill(process.pid, signal.SIGINT)
            out, wrong = process.communicate(timeout=DEADLINE)
        server.join()
    assert process.returncode == 130, wrong
    assert "200 OK" in out
    assert "GET /" in out
    assert "Traceback" not in wrong


def _received_some(process: int) -> bool:
    """Whether a process has read what was sent to it: nothing waits in its sockets any more."""
    with open(f"/proc/{process}/net/tcp", encoding="ascii") as table:
        return all(line.split()[4].endswith(":00000000") for line in list(table)[1:])
