"""The command line as a user meets it: real processes in an empty folder."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from shell import Shell, environment

SHOP = """\
from pellucid import App, Call, Model, anyone, field


class Product(Model, read=anyone, write=anyone):
    name: str = field(unique=True)
    price: int = 0


app = App(models=[Product])


@app.get("/boom")
async def boom(call: Call) -> str:
    raise RuntimeError("kaboom")
"""


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def shop(shell: Shell) -> Shell:
    shell.write("shop.py", SHOP)
    return shell


# -- the first five minutes


def test_help_and_version_are_quick_and_import_nothing_heavy(shell: Shell) -> None:
    said = shell("--help").stdout
    for name in ("new", "dev", "run", "migrate", "routes", "openapi", "load", "backup", "doctor"):
        assert re.search(rf"^  {name} +\w", said, re.MULTILINE)
    assert re.fullmatch(r"pellucid \d+\.\d+\.\d+\n", shell("--version").stdout)
    code = "import sys, pellucid.cli.main; print(*sys.modules)"
    imported = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"sqlalchemy", "apsw", "asyncio", "rich", "pellucid.app"} & set(imported)


@pytest.mark.parametrize("name", ["new", "dev", "run", "migrate", "routes", "openapi", "load", "backup", "doctor"])
def test_every_command_explains_itself(shell: Shell, name: str) -> None:
    assert shell(name, "--help").stdout.startswith("Usage: pellucid")


def test_a_new_project_runs_at_once_and_is_never_overwritten(shell: Shell) -> None:
    assert "pellucid dev" in shell("new", "my-shop").stdout
    project = Shell(shell.folder / "my-shop")
    with project.serving("dev") as served:
        served.wait_for("was made")
        assert served.ask("/api/lists", {"name": "Inbox"}) == (201, {"id": 1, "name": "Inbox"})
        status, task = served.ask("/api/tasks", {"list": 1, "title": "Tea"})
        assert status == 201
        assert isinstance(task, dict)
        assert task["done"] is False
        assert served.ask("/hello/you") == (200, {"hello": "you"})
        status, page = served.ask("/")
        assert status == 200
        assert "<title>My shop</title>" in str(page)
        status, tasks = served.ask("/api/lists?select=name,tasks(title)")
        assert tasks == [{"name": "Inbox", "tasks": [{"title": "Tea"}]}]
    assert "exists already" in shell("new", "my-shop", code=2).stderr
    assert "no name for a project" in shell("new", "1st", code=2).stderr


def test_a_command_that_does_not_exist_is_named_with_the_nearest(shell: Shell) -> None:
    assert "there is no command 'rnu': did you mean 'run'?" in shell("rnu", code=2).stderr


def test_without_an_app_it_says_how_to_name_one(shell: Shell) -> None:
    assert "which app? Name its file, as in `pellucid dev shop.py`" in shell("dev", code=2).stderr


def test_a_file_that_does_not_exist_is_named_with_the_nearest(shop: Shell) -> None:
    assert shop("routes", "shp.py", code=2).stderr == "pellucid: there is no file shp.py (did you mean 'shop.py'?)\n"


def test_a_failed_import_shows_the_users_lines_and_none_of_ours(shell: Shell) -> None:
    shell.write("shop.py", "import prices\n")
    shell.write("prices.py", "def read():\n    return int('x')\n\nread()\n")
    said = shell("routes", "shop.py", code=1).stderr
    assert "shop.py cannot be imported" in said
    assert "prices.py:2 in read" in said
    assert "ValueError: invalid literal" in said
    assert "pellucid/cli" not in said


def test_a_wrong_model_is_shown_without_the_modules_of_ours(shell: Shell) -> None:
    shell.write("shop.py", SHOP.replace("price: int = 0", 'price: int = "free"'))
    said = shell("routes", "shop.py", code=1).stderr
    assert "\n    ModelError: a mistake in the models\n      Product.price: the default does not fit" in said


def test_a_syntax_error_is_shown_where_it_is_and_nothing_of_ours(shell: Shell) -> None:
    shell.write("shop.py", "def f((a)):\n    pass\n")
    said = shell("routes", "shop.py", code=1).stderr
    assert re.fullmatch(r'pellucid: shop.py cannot be imported\n    File "shop.py", line 1\n.*\n.*\n    SyntaxError: .*\n', said)


def test_a_file_without_an_app_says_what_it_needs(shell: Shell) -> None:
    shell.write("shop.py", "x = 1\n")
    assert "shop.py has no app: it needs a line such as app = App(models=[...])" in shell("routes", "shop.py", code=2).stderr
    shell.write("site.py", "from pellucid import App\nsite = App()\n")
    assert "say site.py:site" in shell("routes", "site.py", code=2).stderr
    assert shell("routes", "site.py:site").stdout


def test_wrong_settings_are_all_named_before_anything_starts(shop: Shell) -> None:
    said = shop("run", "shop.py", "--port", "x", code=2, PELLUCID_WORKERS="many", PELLUCID_PROT="1").stderr
    assert "2 settings are wrong" in said
    assert "--port: port must be a whole number from 0 to 65535, not 'x'" in said
    assert "PELLUCID_WORKERS: workers must be a whole number, at least 0, not 'many'" in said


# -- serving


def test_dev_shows_the_sql_the_places_and_a_line_per_request(shop: Shell) -> None:
    with shop.serving("dev", "shop.py") as served:
        served.wait_for(r'CREATE TABLE "products"')
        served.wait_for(r"API +http://127\.0\.0\.1:\d+/api/products")
        served.wait_for(r"database +data\.db")
        assert served.ask("/api/products", {"name": "Tea"})[0] == 201
        served.wait_for(r"^\d\d:\d\d:\d\d POST   201 /api/products .* ms .* #[0-9a-f]{6} .*sql \d")
        status, requests = served.ask("/_pellucid/requests")
        assert status == 200
        assert "/api/products" in json.dumps(requests)


def test_a_bug_of_the_users_is_a_500_with_a_trace_id_and_a_traceback_in_the_terminal(shop: Shell) -> None:
    with shop.serving("dev", "shop.py") as served:
        status, problem = served.ask("/boom")
        assert status == 500
        assert isinstance(problem, dict)
        assert "kaboom" not in json.dumps(problem)
        served.wait_for(r"RuntimeError: kaboom")
        served.wait_for(r"shop\.py:14 in boom")
        served.wait_for(rf"500 /boom .*#{problem['trace_id'][-6:]}")
        assert "src/pellucid" not in served.said


def test_dev_reloads_when_a_file_changes_and_says_when_it_cannot(shop: Shell) -> None:
    with shop.serving("dev", "shop.py") as served:
        assert served.ask("/new")[0] == 404
        served.wait_for("GET +404 /new")
        at = len(served.said)
        shop.write("shop.py", SHOP + '\n\n@app.get("/new")\ndef new() -> str:\n    return "new"\n')
        served.wait_for("Ready again", at)
        assert served.ask("/new")[0] == 200
        at = len(served.said)
        shop.write("shop.py", SHOP + "\n1 / 0\n")
        served.wait_for("ZeroDivisionError", at)
        at = len(served.said)
        shop.write("shop.py", SHOP)
        served.wait_for("Ready again", at)
        assert served.ask("/api/products")[0] == 200


def test_dev_loses_data_only_where_that_is_allowed_and_renames_where_it_is_told(shop: Shell) -> None:
    with shop.serving("dev", "shop.py") as served:
        assert served.ask("/api/products", {"name": "Tea", "price": 3})[0] == 201
        shop.write("shop.py", SHOP.replace("    price: int = 0\n", ""))
        served.wait_for("this would lose data:\n  drop products.price\nto let it happen: --allow-destructive")
    shop.write("shop.py", SHOP.replace("price", "cost"))
    with shop.serving("dev", "shop.py", "--rename", "products.price=cost") as served:
        assert served.ask("/api/products") == (200, [{"id": 1, "name": "Tea", "cost": 3}])
        shop.write("shop.py", SHOP.replace("price", "cost") + "\n")
        served.wait_for("Ready again")  # what is renamed already is not renamed again
    shop.write("shop.py", SHOP.replace("    price: int = 0\n", ""))
    with shop.serving("dev", "shop.py", "--allow-destructive") as served:
        served.wait_for('DROP COLUMN "cost"|drop products.cost')
        assert served.ask("/api/products") == (200, [{"id": 1, "name": "Tea"}])


def test_two_versions_of_one_length_written_at_once_are_two(shop: Shell) -> None:
    def write(word: str) -> None:
        for name, text in (("words/one.py", f'WORD = "{word}"\n'), ("shop.py", f'{SHOP}\n\nHERE = "{word}"{words}')):
            os.utime(shop.write(name, text), (1e9, 1e9))

    words = '\n\n\n@app.get("/words")\ndef words() -> str:\n    from words.one import WORD\n    return HERE + WORD\n'
    write("tea")
    with shop.serving("dev", "shop.py") as served:
        assert served.ask("/words") == (200, "teatea")
        write("gin")
        served.wait_for("Ready again")
        assert served.ask("/words") == (200, "gingin")


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo-terminal")
def test_dev_asks_at_a_terminal_before_data_is_lost_and_forgets_a_flag_after_its_change(shop: Shell) -> None:
    with shop.serving("dev", "shop.py", "--allow-destructive", terminal=True) as served:
        assert served.ask("/api/products", {"name": "Tea", "price": 3})[0] == 201
        shop.write("shop.py", SHOP.replace("price", "cost"))
        served.wait_for("is the field of products price now called cost?")
        served.type("y\n")
        served.wait_for("Ready again")
        assert served.ask("/api/products") == (200, [{"id": 1, "name": "Tea", "cost": 3}])
        at = len(served.said)
        shop.write("shop.py", SHOP.replace("    price: int = 0\n", ""))
        served.wait_for("this loses data; do it all the same?", at)
        served.type("n\n")
        served.wait_for("waiting for a change", at)
        at = len(served.said)
        shop.write("shop.py", SHOP.replace("    price: int = 0\n", "") + "\n")
        served.wait_for("this loses data; do it all the same?", at)
        served.type("y\n")
        served.wait_for("Ready again", at)
        assert served.ask("/api/products") == (200, [{"id": 1, "name": "Tea"}])


def test_run_refuses_a_database_that_does_not_match_and_says_what_differs(shop: Shell) -> None:
    said = shop("run", "shop.py", "--port", "0", code=1).stderr
    assert "does not match the models" in said
    assert "create the table products" in said
    said = shop("run", "shop.py", "--port", "0", "--workers", "2", code=1).stderr
    assert "create the table products" in said


@pytest.mark.parametrize("workers", ["1", "2"])
def test_run_serves_and_logs_json(shop: Shell, workers: str) -> None:
    shop("load", "shop.py", str(shop.write("products.csv", "name,price\nTea,3\n")))
    with shop.serving("run", "shop.py", "--access-log", "--workers", workers) as served:
        assert served.ask("/api/products") == (200, [{"id": 1, "name": "Tea", "price": 3}])
        served.wait_for(r'"target":"/api/products"')
        lines = [json.loads(line) for line in served.said.splitlines()]
        assert lines[0]["message"] == "ready"
        assert [line["message"] for line in lines].count("ready") == 1
        assert served.ask("/_pellucid/requests")[0] == 404


def test_what_fails_at_the_start_is_told_as_the_users_code_sees_it(shop: Shell) -> None:
    shop.write(
        "shop.py", SHOP + '\n\n@app.on_start\nasync def start(data: object) -> None:\n    raise RuntimeError("no stock")\n'
    )
    shop("load", "shop.py", str(shop.write("products.csv", "name\nTea\n")))
    said = shop("run", "shop.py", "--port", "0", code=1).stderr
    assert "shop.py cannot be served" in said
    assert "RuntimeError: no stock" in said
    assert "src/pellucid" not in said


def test_a_folder_that_is_missing_is_named_and_dev_goes_on_when_it_is_made(shop: Shell) -> None:
    shop.write("shop.py", SHOP.replace("App(models", 'App(static="public", models'))
    said = r"pellucid: shop\.py cannot be served: the folder of static= does not exist: .*/public; make it, or leave static= out"
    with shop.serving("dev", "shop.py") as served:
        served.wait_for(said)
        served.wait_for("The app could not be started; waiting for a change")
        assert "Traceback" not in served.said
        assert "src/pellucid" not in served.said
        shop.write("public/index.html", "hello")
        served.wait_for("Pellucid .* serves")
        assert served.ask("/") == (200, "hello")
    shop.write("shop.py", SHOP.replace("App(models", 'App(templates="pages", models'))
    assert "the folder of templates= does not exist" in shop("run", "shop.py", "--port", "0", code=1).stderr
    assert "the folder of templates= does not exist" in shop("routes", "shop.py", code=1).stderr


def test_an_address_that_is_taken_is_said_at_once(shop: Shell) -> None:
    with shop.serving("dev", "shop.py") as served:
        port = served.address.rpartition(":")[2]
        said = shop("dev", "shop.py", "--port", port, code=2).stderr
        assert f"127.0.0.1:{port} is in use" in said


def test_a_unix_socket_is_removed_at_the_end(shop: Shell) -> None:
    path = shop.folder / "s"
    with shop.serving("dev", "shop.py", "--unix-socket", "s") as served:
        served.wait_for("unix:")
        assert path.is_socket()
    assert not path.exists()


# -- data


def test_load_says_what_it_did_and_names_bad_rows(shop: Shell) -> None:
    shop.write("products.csv", "name,price\nTea,3\nMilk,2\n")
    assert re.match(r"Loaded 2 rows in \d\.\d s: 2 from products.csv", shop("load", "shop.py", "products.csv").stdout)
    shop.write("more.csv", "name,price\nCoffee,much\nTea,1\n")
    said = shop("load", "shop.py", "--model", "Product", "more.csv", code=1).stderr
    assert "nothing was loaded" in said
    assert "more.csv:2: price: 'much'" in said
    told = json.loads(shop("load", "shop.py", "--model", "Product", "more.csv", "--json", code=1).stdout)
    assert told["loaded"] == 0
    assert told["errors"][0]["line"] == 2
    assert "there is no model 'prices'" in shop("load", "shop.py", str(shop.write("prices.csv", "")), code=2).stderr


def test_a_backup_is_a_whole_database(shop: Shell) -> None:
    assert "there is no database" in shop("backup", "copy.db", "shop.py", code=1).stderr
    shop("load", "shop.py", str(shop.write("products.csv", "name\nTea\n")))
    with shop.serving("run", "shop.py", "--log-format", "pretty") as served:
        assert served.address
        assert "Copied" in shop("backup", "copy.db", "shop.py").stdout
    with shop.serving("run", "shop.py", "--database", "copy.db") as served:
        assert served.ask("/api/products?select=name") == (200, [{"name": "Tea"}])
    assert "--overwrite replaces it" in shop("backup", "copy.db", "shop.py", code=1).stderr
    assert "Copied" in shop("backup", "--overwrite", "copy.db", "shop.py").stdout


# -- looking


def test_routes_lists_what_is_served_where(shop: Shell) -> None:
    said = shop("routes", "shop.py").stdout
    assert re.search(r"^GET POST PATCH DELETE +/api/products +Product$", said, re.MULTILINE)
    assert re.search(r"^GET +/boom +boom$", said, re.MULTILINE)
    rows = json.loads(shop("routes", "shop.py", "--json").stdout)
    assert {"method": "GET", "path": "/boom", "name": "boom"} in rows
    assert not (shop.folder / "data.db").exists()


def test_openapi_prints_the_description_that_is_served(shop: Shell) -> None:
    printed = json.loads(shop("openapi", "shop.py").stdout)
    assert printed["openapi"].startswith("3.1")
    shop("openapi", "shop.py", "--output", "api.json")
    assert json.loads((shop.folder / "api.json").read_text()) == printed
    with shop.serving("dev", "shop.py") as served:
        assert served.ask("/openapi.json") == (200, printed)


def test_doctor_shows_values_with_their_sources_and_hides_secrets(shop: Shell) -> None:
    shop.write(".env", "PELLUCID_GRACE=3\n")
    shop.write("pyproject.toml", "[tool.pellucid]\napp = 'shop.py'\nport = 0\n")
    told = json.loads(shop("doctor", "--json", PELLUCID_LOG_LEVEL="debug").stdout)
    sources = {name: row["source"] for name, row in told["settings"].items()}
    assert sources["log_level"] == "PELLUCID_LOG_LEVEL"
    assert sources["grace"].endswith(".env:1")
    assert sources["port"].endswith("pyproject.toml:3")
    assert sources["host"] == "default"
    assert {"msgspec", "apsw", "click"} <= set(told["packages"])
    assert {finding["state"] for finding in told["findings"]} <= {"ok", "warning"}
    said = shop("doctor", "--database", "postgresql://me:hunter2@db/shop").stdout
    assert "postgresql://me:***@db/shop" in said
    assert "hunter2" not in said


def test_doctor_fails_where_something_must_be_mended(shop: Shell) -> None:
    shop("load", "shop.py", str(shop.write("products.csv", "name\nTea\n")))
    assert "the database matches the models" in shop("doctor", "shop.py", "--port", "0").stdout
    shop.write("shop.py", SHOP.replace("price: int = 0", "price: int = 0\n    stock: int = 0"))
    said = shop("doctor", "shop.py", "--port", "0", code=1).stdout
    assert "✗ schema" in said
    assert "stock" in said


def test_everything_on_stdout_is_for_pipes(shop: Shell) -> None:
    words: Sequence[str] = [sys.executable, "-m", "pellucid", "routes", "shop.py"]
    pipe = subprocess.Popen(words, cwd=shop.folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert pipe.stdout is not None
    assert pipe.stderr is not None
    with pipe:
        pipe.stdout.close()
        said = pipe.stderr.read().decode()
    assert "Traceback" not in said
