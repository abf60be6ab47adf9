"""Workers as processes: restarted, replaced and reloaded, while nobody who connects is refused."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pellucid.server.listen import listen
from pellucid.server.supervisor import Supervisor, concerns

WORKER = """
import asyncio, os, sys
from pellucid.http.messages import Response
from pellucid.server.listen import inherited
from pellucid.server.worker import announce_ready, run, serve, stop_on_signals

async def handler(request):
    if request.path == "/slow":
        await asyncio.sleep(0.2)
    if request.path == "/die":
        os._exit(3)
    return Response(200, f"{WORD} {os.getpid()}".encode())

async def main():
    stop = asyncio.Event()
    stop_on_signals(stop)
    await serve(handler, inherited(), stop=stop, grace=2.0, on_ready=announce_ready)

WORD = "one"
run(main())
"""

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="workers need POSIX signals")


def edit(script: Path, text: str) -> None:
    script.write_text(text)


class Running:
    """A supervisor under way, and what it reported."""

    def __init__(self, port: int, reports: list[str]) -> None:
        self.port, self.reports = port, reports

    async def ask(self, path: str = "/") -> tuple[int, str]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        answer = await asyncio.wait_for(reader.read(), 20)
        writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]) if head else 0, body.decode()

    async def until(self, wanted: str, path: str = "/") -> str:
        """Ask until the answer holds the wanted text: the only thing to wait on is what callers see."""
        async with asyncio.timeout(20):
            while True:
                _, body = await self.ask(path)
                if wanted in body:
                    return body
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def supervised(script: Path, **options: object) -> AsyncIterator[Running]:
    reports: list[str] = []
    sockets = listen("127.0.0.1", 0)
    running = Running(sockets[0].getsockname()[1], reports)
    supervisor = Supervisor([sys.executable, str(script)], sockets, report=reports.append, grace=2.0, **options)  # type: ignore[arg-type]
    task = asyncio.ensure_future(supervisor.run())
    try:
        yield running
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
        status = await asyncio.wait_for(task, 20)
        for listening in sockets:
            listening.close()
        assert status == 0, reports


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "worker.py"
    path.write_text(WORKER)
    return path


def test_a_dead_worker_is_replaced_and_callers_wait_for_it(script: Path) -> None:
    async def main() -> None:
        async with supervised(script) as it:
            _, before = await it.ask()
            assert await it.ask("/die") == (0, "")
            status, after = await it.ask()
            assert (status, before != after) == (200, True)
            assert any("died (status 3)" in report for report in it.reports)

    asyncio.run(main())


def test_several_workers_share_the_socket(script: Path) -> None:
    async def main() -> None:
        async with supervised(script, workers=2) as it:
            pids: set[str] = set()
            async with asyncio.timeout(20):
                while len(pids) < 2:
                    answers = await asyncio.gather(*(it.ask("/slow") for _ in range(8)))
                    pids.update(body for _, body in answers)

    asyncio.run(main())


def test_a_rolling_restart_loses_no_request(script: Path) -> None:
    async def main() -> None:
        async with supervised(script) as it:
            await it.ask()
            slow = asyncio.ensure_future(it.ask("/slow"))
            edit(script, WORKER.replace('"one"', '"two"'))
            os.kill(os.getpid(), signal.SIGHUP)
            statuses: set[int] = set()
            async with asyncio.timeout(20):
                while True:
                    status, body = await it.ask()
                    statuses.add(status)
                    if body.startswith("two"):
                        break
            assert statuses == {200}
            assert (await slow)[0] == 200

    asyncio.run(main())


def test_a_rolling_restart_that_fails_keeps_the_old_workers(script: Path) -> None:
    async def main() -> None:
        async with supervised(script) as it:
            _, before = await it.ask()
            edit(script, "raise SystemExit(4)")
            os.kill(os.getpid(), signal.SIGHUP)
            async with asyncio.timeout(20):
                while not any("could not be started" in report for report in it.reports):
                    assert (await it.ask())[1] == before

    asyncio.run(main())


def test_a_change_reloads_and_no_connection_is_refused(script: Path) -> None:
    async def main() -> None:
        async with supervised(script, watch=[script.parent]) as it:
            await it.until("one")
            answers: list[tuple[int, str]] = []
            stop = asyncio.Event()

            async def callers() -> None:
                while not stop.is_set():
                    answers.append(await it.ask())

            asking = [asyncio.ensure_future(callers()) for _ in range(3)]
            await asyncio.sleep(0)
            edit(script, WORKER.replace('"one"', '"two"'))
            await it.until("two")
            stop.set()
            await asyncio.gather(*asking)
            assert {status for status, _ in answers} == {200}

    asyncio.run(main())


def test_while_a_file_is_broken_callers_are_told_so(script: Path) -> None:
    async def main() -> None:
        async with supervised(script, watch=[script.parent]) as it:
            await it.until("one")
            edit(script, "raise SystemExit(4)")
            await it.until("could not be started")
            assert (await it.ask())[0] == 503
            assert it.reports[-2:] == ["worker.py changed; reloading", "The app could not be started; waiting for a change"]
            edit(script, WORKER.replace('"one"', '"three"'))
            await it.until("three")

    asyncio.run(main())


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("app.py", True),
        ("shop/models.py", True),
        (".env", True),
        ("notes.txt", False),
        ("shop/__pycache__/models.py", False),
        (".venv/lib/python3.12/site-packages/x.py", False),
        ("venv/lib/python3.12/site-packages/x.py", False),
        ("node_modules/gyp/x.py", False),
        (".git/hooks/x.py", False),
    ],
)
def test_only_files_of_the_app_reload_it(tmp_path: Path, path: str, counts: bool) -> None:
    root = tmp_path / ".hidden" / "node_modules" / "project"  # where the project itself lies does not matter
    assert concerns(root / path, [root], (".py", ".env")) is counts


def test_what_no_worker_survives_is_said_once(script: Path, capfd: pytest.CaptureFixture[str]) -> None:
    edit(script, "import sys; sys.stderr.write('no stock'); raise SystemExit(7)")
    sockets = listen("127.0.0.1", 0)
    with contextlib.closing(sockets[0]):
        assert asyncio.run(Supervisor([sys.executable, str(script)], sockets, workers=3).run()) == 7
    assert capfd.readouterr().err.count("no stock") == 1


def test_a_worker_that_never_starts_gives_its_exit_status(script: Path) -> None:
    async def main() -> int:
        edit(script, "raise SystemExit(7)")
        sockets = listen("127.0.0.1", 0)
        with contextlib.closing(sockets[0]):
            return await asyncio.wait_for(Supervisor([sys.executable, str(script)], sockets, workers=2).run(), 20)

    assert asyncio.run(main()) == 7


def test_a_worker_ends_when_its_supervisor_is_killed(script: Path, tmp_path: Path) -> None:
    parent = tmp_path / "parent.py"
    parent.write_text(
        "import asyncio, sys\n"
        "from pellucid.server.listen import listen\n"
        "from pellucid.server.supervisor import Supervisor\n"
        "sockets = listen('127.0.0.1', 0)\n"
        "print(sockets[0].getsockname()[1], flush=True)\n"
        f"asyncio.run(Supervisor([sys.executable, {str(script)!r}], sockets).run())\n"
    )

    async def main() -> None:
        process = await asyncio.create_subprocess_exec(sys.executable, str(parent), stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        port = int(await asyncio.wait_for(process.stdout.readline(), 20))
        await Running(port, []).until("one")
        process.kill()
        await process.wait()
        async with asyncio.timeout(20):
            while True:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) != 0:
                        return
                await asyncio.sleep(0.01)

    asyncio.run(main())
