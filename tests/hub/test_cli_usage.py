"""What the command line answers to what it cannot read; it needs no server."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hub.cli.main import run

WRONG = [
    (("ticket", "list", "--bogus"), "flowhub ticket list", "No such option: --bogus"),
    (("ticket", "show"), "flowhub ticket show", "Missing argument 'TICKET'"),
    (("ticket", "list", "--status", "melt"), "flowhub ticket list", "'--status'"),
    (("ticket", "list", "--limit", "many"), "flowhub ticket list", "'--limit'"),
    (("ticket", "list", "--limit"), "flowhub ticket list", "--limit"),
    (("ticket", "list", "more"), "flowhub ticket list", "more"),
    (("import", "/nowhere.jsonl"), "flowhub import", "/nowhere.jsonl"),
    (("ticket", "melt"), "flowhub ticket", "No such command 'melt'"),
    (("melt",), "flowhub", "No such command 'melt'"),
    (("ticket",), "flowhub ticket", "--json"),
    ((), "flowhub", "--json"),
]
each_wrong = pytest.mark.parametrize(
    ("words", "command", "what"), WRONG, ids=[" ".join(words) or "nothing" for words, *_ in WRONG]
)


def error_of(printed: str) -> Any:
    """The error of what is one JSON object and nothing else."""
    (error,) = json.loads(printed).values()
    assert set(error) == {"code", "message", "details"}
    return error


@each_wrong
def test_wrong_usage_is_one_json_object_where_json_is_asked_for(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], command: str, what: str
) -> None:
    assert run([*words, "--json"]) == 2
    printed = capsys.readouterr()
    error = error_of(printed.out)
    assert printed.err == ""
    assert (error["code"], error["details"]["command"]) == ("UsageError", command)
    assert what in error["message"]
    assert f"`{command} -h`" in error["message"]


def test_json_may_stand_before_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--json", "melt"], ["ticket", "--json"], ["lanes", "--json", "--tenant"]):
        assert run(words) == 2
        assert error_of(capsys.readouterr().out)["code"] == "UsageError"


@each_wrong
def test_people_read_what_is_wrong_where_and_what_to_do(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], command: str, what: str
) -> None:
    assert run([*words, "--bogus"] if words in ((), ("ticket",)) else words) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert what.replace("--json", "--bogus") in printed.err
    assert printed.err.endswith(f" See `{command} -h`\n")


@pytest.mark.parametrize("words", [[], ["ticket"]], ids=" ".join)
def test_without_a_command_people_see_the_commands(
    capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert run(words) == 2
    assert "Usage:" in "".join(capsys.readouterr())


def test_other_errors_and_good_usage_keep_their_form(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ticket", "list", "--tenant", "a/b", "--json"]) == 2
    assert error_of(capsys.readouterr().out)["code"] == "InputError"
    assert run(["calendar", "show", "2026-03-23", "--name", "office", "--json"]) == 0
    assert "days" in json.loads(capsys.readouterr().out)
    assert run(["ticket", "list", "--json", "--help"]) == 0
    assert "Example:" in capsys.readouterr().out


def test_a_check_that_failed_is_still_1_with_json(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FLOWHUB_DATA_DIR", str(tmp_path))
    assert run(["doctor", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["ok"] is False


def test_the_libraries_that_send_are_loaded_by_who_sends_alone() -> None:
    """Every other command would wait for them to load."""
    said = "import sys, hub.cli.main; print({'apprise', 'httpx', 'aiosmtplib'} & {*sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", said], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "set()\n"
