"""The generated pages say what the engine reads, and the ones in docs/ are fresh."""

from pathlib import Path

import pytest

import rules
from rules.handbook import facts_page, pack_page
from rules.load import load_pack
from support.relations import QUALIFIED
from support.situation import CATALOGUE
from tests.rules.situations import pack_of

DOCS = Path(rules.__file__).parents[1] / "docs"
PAGES = (
    (
        "default-pack.md",
        ".venv/bin/flowhub rules list rules/packs/default.yaml --markdown",
        pack_page(load_pack(None)),
    ),
    ("facts.md", ".venv/bin/flowhub rules facts --markdown", facts_page()),
)


@pytest.mark.parametrize(("name", "command", "fresh"), PAGES, ids=[page[0] for page in PAGES])
def test_the_page_in_docs_is_what_the_command_prints(name: str, command: str, fresh: str) -> None:
    file = DOCS / name
    kept = file.read_text(encoding="utf-8") if file.exists() else ""
    assert kept == fresh, f"docs/{name} is stale: renew it with `{command} > docs/{name}`"


def test_every_shipped_rule_has_its_place_on_the_page() -> None:
    page = pack_page(load_pack(None))
    for rule in load_pack(None).rules:
        assert f"\n## {rule.id}\n" in page
        assert f"(#{rule.id})" in page


def test_every_fact_has_its_row() -> None:
    page = facts_page()
    meanings = {spec.name: spec.meaning for spec in CATALOGUE.values()}
    meanings |= {spec.name: spec.meaning for spec in QUALIFIED.values()}
    for name, meaning in meanings.items():
        (row,) = [line for line in page.splitlines() if line.startswith(f"| `{name}` |")]
        assert meaning.replace("_", "\\_") in row


def test_a_rule_is_said_whole_and_its_texts_are_no_markup() -> None:
    pack = pack_of(
        "name: p\nrules:\n"
        "  - {id: late, description: Last, on: [note], then: [close], enabled: false}\n"
        "  - {id: early.one, description: 'A | <b> `x`', on: [created, reopen], priority: 1,\n"
        "     when: {tier: 'a`b', active: true}, then: [assign, {macro: {name: greet}}],\n"
        "     stop: true, owner: '*We*'}\n"
    )
    assert pack_page(pack).partition("\n| rule |")[2] == (
        " owner | what for |\n"
        "| --- | --- | --- |\n"
        "| [`early.one`](#earlyone) | \\*We\\* | A \\| \\<b\\> \\`x\\` |\n"
        "| [`late`](#late) |  | Last |\n"
        "\n"
        "## early.one\n"
        "\n"
        "A | \\<b\\> \\`x\\`\n"
        "\n"
        "- on: `created`, `reopen`\n"
        "- when: ``tier is a`b and active is true``\n"
        "- then: `assign`, then `macro name: greet`\n"
        "- priority: 1; later rules do not fire\n"
        "- owner: \\*We\\*; tests: 0\n"
        "\n"
        "## late\n"
        "\n"
        "Last\n"
        "\n"
        "- on: `note`\n"
        "- when: always\n"
        "- then: `close`\n"
        "- priority: 100\n"
        "- switched off\n"
        "- owner: nobody; tests: 0\n"
        "\n"
        "## Macros that these rules run\n"
        "\n"
        "| macro | what it does |\n"
        "| --- | --- |\n"
        "| `greet` | `reply text: hello`, then `resolve` |\n"
    )
