"""Pages for people, made from what the engine reads: a pack rule by rule, and the facts."""

from collections.abc import Iterable, Iterator, Sequence

from rules.conditions import ops_of
from rules.expansion import words_of
from rules.facts import neutral
from rules.pack import Op, Pack, Rule
from rules.subjects import subjects_of
from rules.values import EXAMPLES
from rules.words import action_in_words, condition_in_words, rest_in_words, scope_in_words
from support.needs import RuleAction
from support.relations import RELATED, Relation
from support.situation import CATALOGUE
from support.subjects import ASKED, TRIGGERS, FactType, Subject

_OPS = tuple(Op)
_PACK_NOTE = (
    "Made from `{file}` by `flowhub rules list --markdown`: change the pack, not this page. Rules "
    "are asked in this order, and all that match fire unless one stops."
)
_FACTS_NOTE = (
    "What the conditions of rules can ask. Made from `support/situation.py`, `support/subjects.py` "
    "and `support/relations.py` by `flowhub rules facts --markdown`: change these, not this page."
)
_RELATED_NOTE = (
    "What a condition can ask beside the ticket: it is true where some row satisfies all that is "
    "asked of it. `same_as` compares a fact of the row with one of the ticket."
)
_SUBJECTS_NOTE = (
    "A rule can ask the facts of what it is about, as its `on` says, and those of all; one with "
    "triggers of several subjects only what these have in common."
)
_NEUTRAL_NOTE = (
    "Left out of a test, or of the file of `flowhub rules explain`, a fact has its neutral value."
)


def pack_page(pack: Pack) -> str:
    """Return a pack as Markdown: every rule as it is asked, then the macros that they run."""
    ordered = sorted(pack.rules, key=lambda rule: rule.priority)
    return _page(
        (
            f"# Pack `{pack.name}`",
            _PACK_NOTE.format(file=pack.file),
            *_scope(pack),
            _table(
                ("rule", "owner", "what for"),
                ((_link(rule.id), _text(rule.owner), _text(rule.description)) for rule in ordered),
            ),
            *(block for rule in ordered for block in _rule(rule, pack)),
            *_macros(pack, ordered),
        )
    )


def facts_page() -> str:
    """Return the catalogue of facts as Markdown."""
    return _page(
        (
            "# Facts",
            _FACTS_NOTE,
            _table(
                ("fact", "of", "type", "unit", "meaning", "choices"),
                (
                    (
                        _code(s.name),
                        s.of,
                        s.type,
                        s.unit,
                        _text(s.meaning),
                        _choices(s.choices),
                    )
                    for s in CATALOGUE.values()
                ),
            ),
            _SUBJECTS_NOTE,
            _table(
                ("subject", "triggers in `on`"),
                ((s, ", ".join(_code(t) for t in TRIGGERS if TRIGGERS[t] is s)) for s in Subject),
            ),
            "## Related things",
            _RELATED_NOTE,
            *(block for relation in Relation for block in _relation(relation)),
            "## Types",
            _NEUTRAL_NOTE,
            _table(("type", "written as", "compared by", "neutral"), map(_type, FactType)),
        )
    )


def _relation(relation: Relation) -> Iterator[str]:
    spec = RELATED[relation]
    yield f"### `{relation}`"
    yield f"{spec.meaning[0].upper()}{spec.meaning[1:]}; at most {spec.most}."
    yield _table(
        ("fact", "type", "unit", "meaning", "choices"),
        (
            (_code(fact.name), fact.type, fact.unit, _text(fact.meaning), _choices(fact.choices))
            for fact in spec.facts.values()
        ),
    )


def _scope(pack: Pack) -> Iterator[str]:
    if said := scope_in_words(pack):
        yield "\n".join(f"- {line}" for line in said)


def _rule(rule: Rule, pack: Pack) -> Iterator[str]:
    when = condition_in_words(rule.when)
    lines = [
        f"- on: {', '.join(map(_code, rule.on))}",
        f"- when: {_code(when) if when else 'always'}",
        f"- then: {_actions(rule.then)}",
        f"- priority: {rule.priority}{'; later rules do not fire' if rule.stop else ''}",
    ]
    if rested := rest_in_words(rule):
        lines.append(f"- on one ticket: {rested}")
    if others := [subject for subject in subjects_of(rule.on) if subject not in ASKED]:
        lines.append(f"- about: {', '.join(others)}; the hub does not ask such rules yet")
    if rule.file != pack.file:
        lines.append(f"- from: {_code(rule.file)}")
    if not rule.enabled:
        lines.append("- switched off")
    lines.append(f"- owner: {_text(rule.owner) or 'nobody'}; tests: {len(rule.tests)}")
    yield f"## {rule.id}"
    yield _text(rule.description)
    yield "\n".join(lines)


def _macros(pack: Pack, rules: Sequence[Rule]) -> Iterator[str]:
    asked = (str(a.params["name"]) for rule in rules for a in rule.then if a.kind == "macro")
    names = tuple(dict.fromkeys(asked))
    if names:
        yield "## Macros that these rules run"
        yield _table(
            ("macro", "what it does"),
            ((_code(name), _actions(pack.macros.actions[name])) for name in names),
        )


def _actions(actions: Iterable[RuleAction]) -> str:
    return ", then ".join(_code(action_in_words(action)) for action in actions)


def _type(kind: FactType) -> Sequence[str]:
    spec = next(spec for spec in CATALOGUE.values() if spec.type is kind)
    value = neutral(spec)
    words = {word: None for s in CATALOGUE.values() if s.type is kind for word in words_of(s)}
    shown = "empty" if value in ("", ()) else str(value).lower()
    possible = ops_of(kind)
    return (
        kind,
        EXAMPLES[kind],
        ", ".join(map(_code, (*(op for op in _OPS if op in possible), *words))),
        "the first of its choices" if kind is FactType.CHOICE else shown,
    )


def _choices(choices: Iterable[str]) -> str:
    return ", ".join(_code(choice) if choice else "empty" for choice in choices)


def _link(rule_id: str) -> str:
    return f"[{_code(rule_id)}](#{rule_id.lower().replace('.', '')})"


def _code(text: str) -> str:
    fence = "``" if "`" in text else "`"
    return f"{fence}{text}{fence}"


def _text(text: str) -> str:
    """Return a person's text as one line in which nothing is markup."""
    line = " ".join(text.split())
    return "".join(f"\\{sign}" if sign in "\\`*_[]<>#" else sign for sign in line)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    escaped = ([cell.replace("|", "\\|") for cell in cells] for cells in lines)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in escaped)


def _page(blocks: Iterable[str]) -> str:
    return "\n\n".join(blocks) + "\n"
