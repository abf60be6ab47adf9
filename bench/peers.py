"""The peers: how each is installed, filled with the data set, started, asked, and how its answers are read.

In: requests said without a URL (`data.Wanted`). Out: commands, requests, rows. It must never know how load is
made or what is counted. A new peer is a class here with one line in `PEERS`, and a folder in bench/peers.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from data import PAGE, Expected, Row, Wanted, data_set, fill, write_csv, write_sqlite
from install import PEERS as SOURCES
from install import CannotInstall, node_folder, python_bin, system_program
from load import Request

__all__ = ["PEERS", "Peer"]


class Peer:
    """A peer on plain SQL with plain URLs; subclasses say where theirs differ."""

    name: str
    title: str
    """The head of its column; may hold a line end."""
    rows: frozenset[Row] = frozenset(Row)
    paths: Mapping[Row, str] = {
        Row.ONE: "/cities/{id}",
        Row.NOT_MODIFIED: "/cities/{id}",
        Row.LIST: "/cities?limit=20&offset={offset}",
        Row.FILTER: "/cities?country={id}&limit=20",
        Row.EMBED: "/cities?embed=country&limit=20&offset={offset}",
        Row.INSERT: "/visits",
    }
    """Where each row is asked: `{id}`, `{key}` (the id as text of 15 digits), `{offset}`, `{page}` from 1."""
    conditional: Mapping[str, str] = {}
    """What the environment must say for the answers to carry ETags, where they otherwise don't."""
    note = ""
    """What the reader of the table must know."""

    def install(self) -> None:
        """Make it runnable. Raises CannotInstall."""
        raise NotImplementedError

    def prepare(self, folder: Path) -> None:
        """Put a database with the data set into an empty folder; every start gets a copy of it."""
        write_sqlite(folder / "bench.db")

    def database(self, folder: Path) -> Path | None:
        """Return the SQLite file with its table `visits`; None where it only answers a constant."""
        return folder / "bench.db"

    def command(self, folder: Path, port: int) -> Sequence[str]:
        """Return what starts it on 127.0.0.1:port with the database of that folder."""
        raise NotImplementedError

    def environment(self, folder: Path, port: int) -> Mapping[str, str]:
        """Return what its environment holds beside ours."""
        return {"PORT": str(port), "DATABASE": str(self.database(folder))}

    def request(self, want: Wanted, etag: str = "") -> Request:
        """Say one request in its URLs."""
        path = self.paths[want.row].format(id=want.id, key=f"{want.id:015d}", offset=want.offset, page=want.offset // PAGE + 1)
        if want.row is not Row.INSERT:
            return Request("GET", path, etag)
        body = {"city": self.city_key(want.id), "visitor": want.visitor, "rating": want.rating}
        return Request("POST", path, body=json.dumps(body))

    def city_key(self, id: int) -> int | str:
        """Say the key of a city as its JSON does."""
        return id

    def read(self, answer: bytes, row: Row) -> list[Expected]:
        """Read the compared parts of an answer's rows."""
        payload = json.loads(answer)
        items = payload if isinstance(payload, list) else payload.get("items", [payload])
        return [
            Expected(
                item["name"],
                item["population"],
                item.get("expand", item)["country"]["name"] if row is Row.EMBED else None,
            )
            for item in items
        ]


class Pellucid(Peer):
    """Ours, as `pellucid run` serves it in production. All that depends on its command line stands here."""

    name = "pellucid"
    title = "Pellucid"
    anatomy = "off"
    paths = {
        Row.ONE: "/api/cities/{id}",
        Row.NOT_MODIFIED: "/api/cities/{id}",
        Row.LIST: "/api/cities?limit=20&offset={offset}",
        Row.FILTER: "/api/cities?country=eq.{id}&order=population.desc&limit=20",
        Row.EMBED: "/api/cities?select=*,country(*)&limit=20&offset={offset}",
        Row.INSERT: "/api/visits",
    }

    def install(self) -> None:
        if not self._program.exists():
            raise CannotInstall(f"{self._program} does not exist: install the project into this environment")

    def prepare(self, folder: Path) -> None:
        # A copy, so that its migration, made as a user makes it, stands beside the database and not in the sources.
        app, database = str(folder / "app.py"), str(self.database(folder))
        shutil.copyfile(SOURCES / "pellucid" / "app.py", app)
        files = [str(file) for file in write_csv(folder)]
        self._pellucid("migrate", "make", "first", app, "--database", database)
        self._pellucid("migrate", "apply", app, "--database", database)
        self._pellucid("load", app, *files, "--database", database)

    def command(self, folder: Path, port: int) -> Sequence[str]:
        return [
            *(str(self._program), "run", str(folder / "app.py"), "--host", "127.0.0.1", "--port", str(port)),
            *("--workers", "1", "--database", str(self.database(folder)), "--anatomy", self.anatomy),
        ]

    @property
    def _program(self) -> Path:
        return Path(sys.executable).with_name("pellucid")

    def _pellucid(self, *arguments: str) -> None:
        done = subprocess.run([str(self._program), *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            raise CannotInstall(f"`pellucid {arguments[0]}` failed: {(done.stderr or done.stdout).strip()[-400:]}")


class PellucidSeen(Pellucid):
    """Ours with every request recorded: what seeing through it costs."""

    name = "pellucid-anatomy"
    title = "Pellucid\nanatomy on"
    anatomy = "on"
    rows = frozenset({Row.ONE, Row.LIST})


class Nginx(Peer):
    """The physical limit: a constant of the size of our one-row answer; it reads no database."""

    name = "nginx"
    title = "nginx\nconstant"
    rows = frozenset({Row.ONE})
    note = "nginx answers a constant: its one figure is also the measure for the row with If-None-Match."

    def install(self) -> None:
        system_program("nginx", "nginx-light")

    def prepare(self, folder: Path) -> None:
        pass

    def database(self, folder: Path) -> Path | None:
        return None

    def command(self, folder: Path, port: int) -> Sequence[str]:
        city = data_set().cities[0]
        row = {"id": city.id, "name": city.name, "country": city.country_id}
        row |= {"latitude": city.latitude, "longitude": city.longitude, "population": city.population}
        template = (SOURCES / "nginx" / "nginx.conf").read_text()
        body = json.dumps(row, separators=(",", ":"))
        (folder / "nginx.conf").write_text(template.format(port=port, directory=folder, body=body))
        return [
            *(system_program("nginx", "nginx-light"), "-p", str(folder)),
            *("-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")),
        ]

    def environment(self, folder: Path, port: int) -> Mapping[str, str]:
        return {}


class PocketBase(Peer):
    """One Go binary; collections from a migration file, rows written into its SQLite file."""

    name = "pocketbase"
    title = "PocketBase"
    paths = {
        Row.ONE: "/api/collections/cities/records/{key}",
        Row.NOT_MODIFIED: "/api/collections/cities/records/{key}",
        Row.LIST: "/api/collections/cities/records?page={page}&perPage=20&skipTotal=1",
        Row.FILTER: "/api/collections/cities/records?perPage=20&skipTotal=1&sort=-population&filter="
        + quote("country='{key}'", safe="{}"),
        Row.EMBED: "/api/collections/cities/records?page={page}&perPage=20&skipTotal=1&expand=country",
        Row.INSERT: "/api/collections/visits/records",
    }
    note = "PocketBase writes with synchronous=NORMAL and has no setting for it: its inserts are not synced."

    def install(self) -> None:
        python_bin()

    def prepare(self, folder: Path) -> None:
        for arguments in (
            ["migrate", "up"],
            ["superuser", "upsert", "bench@example.org", "only-for-the-bench"],
        ):
            done = subprocess.run([*self._program(folder), *arguments], capture_output=True, text=True, timeout=60, check=False)
            if done.returncode:
                raise CannotInstall(f"`pocketbase {arguments[0]}` failed: {(done.stderr or done.stdout).strip()}")
        connection = sqlite3.connect(folder / "data.db")
        fill(connection, country_column="country", key=str)
        connection.execute("ANALYZE")
        connection.commit()
        connection.close()

    def database(self, folder: Path) -> Path | None:
        return folder / "data.db"

    def command(self, folder: Path, port: int) -> Sequence[str]:
        return [*self._program(folder), "serve", f"--http=127.0.0.1:{port}"]

    def city_key(self, id: int) -> int | str:
        return f"{id:015d}"

    def _program(self, folder: Path) -> Sequence[str]:
        migrations = SOURCES / "pocketbase" / "pb_migrations"
        return [
            *(str(python_bin() / "pocketbase"), f"--dir={folder}"),
            *(f"--migrationsDir={migrations}", "--automigrate=0"),
        ]


class FastAPI(Peer):
    """FastAPI, SQLAlchemy's async ORM, aiosqlite; one uvicorn worker on uvloop and httptools."""

    name = "fastapi"
    title = "FastAPI\nSQLAlchemy"
    paths = {**Peer.paths, Row.EMBED: "/cities-with-country?limit=20&offset={offset}"}

    def install(self) -> None:
        python_bin()

    def command(self, folder: Path, port: int) -> Sequence[str]:
        return [
            *(str(python_bin() / "uvicorn"), "app:app", "--app-dir", str(SOURCES / "fastapi")),
            *("--host", "127.0.0.1", "--port", str(port), "--loop", "uvloop", "--http", "httptools"),
            *("--no-access-log", "--log-level", "warning"),
        ]


class Django(Peer):
    """Django with REST framework; one gunicorn worker of four threads, which keeps connections alive."""

    name = "django"
    title = "Django\nDRF"
    conditional = {"ETAG": "1"}
    note = "Django adds ConditionalGetMiddleware for the row with If-None-Match only."

    def install(self) -> None:
        python_bin()

    def command(self, folder: Path, port: int) -> Sequence[str]:
        return [
            *(str(python_bin() / "gunicorn"), "app:application", "--chdir", str(SOURCES / "django")),
            *("--bind", f"127.0.0.1:{port}", "--workers", "1", "--worker-class", "gthread", "--threads", "4"),
            *("--log-level", "warning"),
        ]


class Node(Peer):
    """A Node peer: server.js beside its node_modules, NODE_ENV=production, better-sqlite3."""

    def install(self) -> None:
        node_folder(self.name)

    def command(self, folder: Path, port: int) -> Sequence[str]:
        return ["node", str(node_folder(self.name) / "server.js")]

    def environment(self, folder: Path, port: int) -> Mapping[str, str]:
        return {"NODE_ENV": "production"} | dict(super().environment(folder, port))


class Express(Node):
    """Express 5, whose answers carry weak ETags by default."""

    name = "express"
    title = "Express"


class Fastify(Node):
    """Fastify 5 with schemas for bodies and answers."""

    name = "fastify"
    title = "Fastify"
    conditional = {"ETAG": "1"}
    note = "Fastify registers @fastify/etag for the row with If-None-Match only."


PEERS: tuple[Peer, ...] = (
    Pellucid(),
    PellucidSeen(),
    Nginx(),
    Fastify(),
    Express(),
    PocketBase(),
    FastAPI(),
    Django(),
)
"""In the order of the table and of a round: ours with anatomy is measured next to ours without."""
