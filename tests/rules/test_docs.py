"""The pack that the docs begin with is one that works."""

import re
from pathlib import Path

from rules.engine import Engine
from rules.examples import run_examples
from rules.load import load_pack

PAGE = Path(__file__).parents[2] / "docs" / "change-the-rules.md"


def test_the_first_pack_of_the_docs_is_good_and_its_tests_pass(tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    found = re.search(r"```yaml\n(# north\.yaml\n.*?)```", page, re.DOTALL)
    assert found is not None
    file = tmp_path / "north.yaml"
    file.write_text(found[1], encoding="utf-8")
    pack = load_pack(file)
    with Engine(pack, timeout_s=30) as engine:
        outcomes = run_examples(pack, engine)
    own = [outcome for outcome in outcomes if outcome.file == "north.yaml"]
    assert [outcome.passed for outcome in own] == [True, True]
    assert all(outcome.passed for outcome in outcomes)
