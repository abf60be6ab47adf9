"""`pellucid migrate` on a project in a folder: files are made, read, applied and taken back."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
from click.testing import CliRunner, Result

from pellucid.cli.main import pellucid
from pellucid.cli.project import find_project, import_app
from pellucid.sql.migrate import update

HEAD = "from pellucid import App, Model, field\n"
FIRST = HEAD + "class Product(Model):\n    name: str\napp = App(models=[Product])\n"
STOCK = HEAD + "class Product(Model):\n    name: str\n    stock: int = 0\napp = App(models=[Product])\n"
AMOUNT = HEAD + "class Product(Model):\n    name: str\n    amount: int = 0\napp = App(models=[Product])\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    known, path = set(sys.modules), list(sys.path)
    yield tmp_path
    for name in set(sys.modules) - known:
        if name == "app":
            del sys.modules[name]
    sys.path[:] = path


def migrate(*arguments: str, input: str | None = None) -> Result:
    return CliRunner().invoke(pellucid, ["migrate", *arguments], input=input)


def done(*arguments: str, input: str | None = None) -> str:
    result = migrate(*arguments, input=input)
    assert result.exit_code == 0, result.output
    return result.output


def refused(*arguments: str, input: str | None = None) -> str:
    result = migrate(*arguments, input=input)
    assert result.exit_code == 1, result.output
    return result.output


def columns(database: str = "data.db") -> list[str]:
    connection = apsw.Connection(database)
    found = [str(row[0]) for row in connection.execute("SELECT name FROM pragma_table_info('products')")]
    connection.close()
    return found


def insert(names: str, values: str) -> None:
    connection = apsw.Connection("data.db")
    connection.execute(f"INSERT INTO products ({names}) VALUES ({values})")
    connection.close()


def test_from_no_database_to_one_that_matches(folder: Path) -> None:
    (folder / "app.py").write_text(FIRST)
    told = done()
    assert "data.db (does not exist yet)" in told
    assert "create the table products" in told
    assert "next: `pellucid migrate make`" in told
    assert not Path("data.db").exists()
    assert "wrote migrations/0001_initial.sql" in done("make")
    assert "next: `pellucid migrate apply`" in done("status")
    assert "0001_initial: applied" in done("apply")
    assert "models, files and database agree" in done("status", "--check")
    assert "nothing to do" in done("make")
    assert "nothing to do" in done("apply")
    assert columns() == ["id", "name"]


def test_a_change_is_made_applied_and_taken_back(folder: Path) -> None:
    (folder / "app.py").write_text(FIRST)
    done("make")
    done("apply")
    (folder / "app.py").write_text(STOCK)
    assert "not agree" in refused("status", "--check")
    assert 'ADD COLUMN "stock" INTEGER /* int */ NOT NULL DEFAULT 0' in done("sql")
    assert columns() == ["id", "name"], "sql runs nothing"
    assert "0002_count_the_stock.sql" in done("make", "count the stock")
    done("apply")
    assert columns() == ["id", "name", "stock"]
    asked = done("back", input="y\n")
    assert 'DROP COLUMN "stock"' in asked
    assert "0002_count_the_stock: taken back" in asked
    assert columns() == ["id", "name"]
    assert "0002_count_the_stock: applied" in done("apply")
    assert "nothing was changed" in refused("back", input="n\n")
    done("back", "--yes")
    done("back", "--yes")
    assert columns() == []
    assert "there is nothing to take back" in refused("back", "--yes")


def test_a_rename_is_said_or_asked_and_never_guessed(folder: Path) -> None:
    (folder / "app.py").write_text(STOCK)
    done("make")
    done("apply")
    (folder / "app.py").write_text(AMOUNT)
    told = refused("make")
    assert "this would lose data:\n  drop products.stock" in told
    assert "is stock now called amount? then add --rename products.stock=amount" in told
    assert "0002" not in "".join(file.name for file in Path("migrations").iterdir())
    assert "RENAME COLUMN" in done("sql", "--rename", "products.stock=amount")
    assert "no field 'amunt'; did you mean 'amount'" in refused("make", "--rename", "products.stock=amunt")
    assert "is the field of products stock now called amount?" in done("make", "--ask", input="y\n")
    done("apply")
    assert columns() == ["id", "name", "amount"]


def test_a_loss_needs_a_flag_or_a_yes(folder: Path) -> None:
    (folder / "app.py").write_text(STOCK)
    done("make")
    done("apply")
    (folder / "app.py").write_text(FIRST)
    assert "to let it happen: --allow-destructive" in refused("make")
    refused("make", "--ask", input="n\n")
    assert "drop products.stock (loses data)" in done("make", "--allow-destructive")
    done("apply")
    assert columns() == ["id", "name"]
    assert "taken back" in done("back", "--yes"), "the column comes back, without what was in it"
    assert columns() == ["id", "name", "stock"]


def test_status_names_the_flag_that_the_next_step_needs(folder: Path) -> None:
    (folder / "app.py").write_text(STOCK)
    done("make")
    done("apply")
    insert("name, stock", "'Tea', 3")
    (folder / "app.py").write_text(FIRST)
    assert "next: `pellucid migrate make --allow-destructive`, if the loss is meant, or `pellucid dev --allow-destr" in done()
    (folder / "app.py").write_text(STOCK.replace("stock: int = 0", "amount: int"))
    told = done()
    assert "something must be decided first:\n  products.amount is new and required" in told
    assert "next: `pellucid migrate make --rename products.stock=amount`, if it was renamed, or" in told
    assert "not agree" in refused("status", "--check")


def test_without_files_dev_comes_first(folder: Path) -> None:
    (folder / "app.py").write_text(STOCK)
    update(import_app(find_project(None)).catalog, "data.db")
    (folder / "app.py").write_text(FIRST)
    assert "next: `pellucid dev --allow-destructive`, if the loss is meant, brings this database to the models" in done()
    done("make")
    told = refused("apply")
    assert "nothing was changed" in told
    assert "`pellucid dev` brings it to the models, and then `pellucid migrate apply` only notes" in told
    update(import_app(find_project(None)).catalog, "data.db", allow_destructive=True)
    assert "0001_initial: noted" in done("apply")


def test_what_load_made_counts_as_made_by_dev(folder: Path) -> None:
    (folder / "app.py").write_text(FIRST)
    (folder / "products.csv").write_text("name\nTea\n")
    assert CliRunner().invoke(pellucid, ["load", "app.py", "products.csv"]).exit_code == 0
    assert "next: `pellucid migrate make`" in done()
    done("make")
    assert "0001_initial: noted" in done("apply")


def test_a_start_that_waits_for_files_names_them(folder: Path) -> None:
    (folder / "app.py").write_text(STOCK)
    done("make")
    done("apply")
    insert("name, stock", "'Tea', 3")
    (folder / "app.py").write_text(STOCK.replace("stock: int = 0", "amount: int"))
    run = CliRunner().invoke(pellucid, ["run", "app.py", "--port", "0", "--workers", "1"])
    assert "does not match the models:\n  products.amount is new and required" in run.output
    assert "run `pellucid migrate make`" in run.output
    done("make", "--rename", "products.stock=amount")
    run = CliRunner().invoke(pellucid, ["run", "app.py", "--port", "0", "--workers", "1"])
    assert run.exit_code == 1
    assert "a migration waits to be applied" in run.output
    assert "  0002_rename_products_stock_to_amount\nrun `pellucid migrate apply`" in run.output
    assert "is new and required" not in run.output
    (folder / "products.csv").write_text("name,amount\nMilk,1\n")
    assert "a migration waits" in CliRunner().invoke(pellucid, ["load", "app.py", "products.csv"]).output


def test_a_file_may_be_edited_before_it_is_applied_and_never_afterwards(folder: Path) -> None:
    (folder / "app.py").write_text(FIRST)
    done("make")
    file = Path("migrations/0001_initial.sql")
    file.write_text(file.read_text().replace("-- down", "INSERT INTO products (name) VALUES ('first');\n\n-- down"))
    done("apply")
    connection = apsw.Connection("data.db")
    assert connection.execute("SELECT name FROM products").fetchall() == [("first",)]
    connection.close()
    applied = file.read_text()
    file.write_text(applied.replace("first", "second"))
    assert "changed after it was applied" in done("status")
    assert "0001_initial.sql was changed after it was applied" in refused("apply")
    file.write_text(applied)
    file.rename("migrations/0001_other.sql")
    assert "applied, but its file is gone" in done("status")


def test_a_broken_file_changes_nothing(folder: Path) -> None:
    (folder / "app.py").write_text(FIRST)
    done("make")
    file = Path("migrations/0001_initial.sql")
    good = file.read_text()
    for more, says in (
        ("SELECT nonsense;", "0001_initial.sql: no such column: nonsense; nothing was changed"),
        ("COMMIT;", "0001_initial.sql: a migration runs in one transaction"),
        ("ATTACH 'other.db' AS other;", "0001_initial.sql: a migration runs in one transaction"),
    ):
        file.write_text(good.replace("-- down", f"{more}\n-- down"))
        assert says in refused("apply")
        assert not Path("data.db").exists() or columns() == []
    file.write_text("CREATE TABLE x (y);")
    assert "has no line `-- up`" in refused("apply")
    file.write_text(good)
    Path("migrations/0001_twice.sql").write_text(good)
    assert "the same number" in refused("status")
    Path("migrations/0001_twice.sql").rename("migrations/notes.sql")
    assert "has no name like 0001_name.sql" in refused("status")


def test_what_dev_did_already_is_only_noted(folder: Path) -> None:
    (folder / "app.py").write_text(FIRST)
    done("make")
    done("apply")
    (folder / "app.py").write_text(STOCK)
    update(import_app(find_project(None)).catalog, "data.db")
    assert "next: `pellucid migrate make`" in done()
    done("make")
    assert "0002_add_products_stock: noted, the database was there already" in done("apply")
    assert "models, files and database agree" in done()
    done("back", "--yes")
    assert columns() == ["id", "name"]


def test_several_files_reach_an_empty_database_at_once(folder: Path) -> None:
    for version in (FIRST, STOCK):
        (folder / "app.py").write_text(version)
        done("make")
    assert "0001_initial: applied\n0002_add_products_stock: applied\n" in done("apply", "--database", "other.db")
    assert columns("other.db") == ["id", "name", "stock"]
    assert not Path("data.db").exists()


def test_a_model_without_a_file_is_reported_by_apply(folder: Path) -> None:
    (folder / "app.py").write_text(FIRST)
    told = refused("apply")
    assert "the models have changes that no migration has:\n  create the table products" in told
    assert "pellucid migrate make" in told


def test_another_app_may_be_named(folder: Path) -> None:
    (folder / "shop.py").write_text(FIRST)
    assert "create the table products" in done("make", "shop.py")
    assert "0001_initial" in done("status", "shop.py")
    assert migrate("status", "shoop.py").exit_code == 2
    assert migrate("status", "shop.py", "--database", "postgresql://x/y").exit_code == 2


def test_a_wrong_model_is_one_clear_message(folder: Path) -> None:
    (folder / "app.py").write_text(HEAD + "class Product(Model):\n    name: complex\napp = App(models=[Product])\n")
    assert "Product.name: the type complex is not known" in refused("status")
