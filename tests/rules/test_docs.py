"""The packs of the docs are ones that work."""

import re
from pathlib import Path

import pytest

from rules.engine import Engine
from rules.examples import run_examples
from rules.load import load_pack

PAGE = Path(__file__).parents[2] / "docs" / "change-the-rules.md"


@pytest.mark.parametrize(("name", "tests"), [("north", 2), ("nobody", 4)])
def test_a_pack_of_the_docs_is_good_and_its_tests_pass(
    name: str, tests: int, tmp_path: Path
) -> None:
    page = PAGE.read_text(encoding="utf-8")
    found = re.search(rf"```yaml\n(# {name}\.yaml\n.*?)```", page, re.DOTALL)
    assert found is not None
    file = tmp_path / f"{name}.yaml"
    file.write_text(found[1], encoding="utf-8")
    pack = load_pack(file)
    with Engine(pack, timeout_s=30) as engine:
        outcomes = run_examples(pack, engine)
    own = [outcome for outcome in outcomes if outcome.file == file.name]
    assert [outcome.passed for outcome in own] == [True] * tests
    assert all(outcome.passed for outcome in outcomes)
