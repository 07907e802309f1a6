"""The child process that holds durable_rules: reads requests, writes answers, one line each.

It can be killed at any instant, and ends by itself when its parent does: at the end of its input,
or when one request takes longer than the limit it was given (SIGALRM ends even a loop in C).

First line in:  {"limit_s": 4.0, "shards": [...]}, each as `rules.program.Shard.form` says
Then, each:     {"sid": "1", "message": {...}, "related": {"lanes": [{...}]}}
Answer:         {"fired": [...]} or {"error": "..."}
"""

import json
import signal
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

import durable_rules_engine as engine

# As in rules.sharding and rules.program, which this isolated process cannot import.
SENTINEL = "always"
KIND = "kind"
TICKET = "t"
_TAKEN = 0


class Matcher:
    """Every ruleset of a pack; tells which rules match a ticket and the rows related to it.

    It drives the engine itself instead of through the package's `Host`, whose two timer threads
    dispatch actions behind the caller's back, and which spends most of a decision on contexts for
    actions that only note that they fired.
    """

    def __init__(self, shards: list[dict[str, Any]]) -> None:
        self._shards = [
            (
                shard["name"],
                engine.create_ruleset(shard["name"], json.dumps(shard["definition"])),
                shard["properties"],
                shard["related"],
                [(name, frozenset(values)) for name, values in shard["guards"].items()],
            )
            for shard in shards
        ]

    def match(
        self, sid: str, message: dict[str, Any], related: dict[str, list[dict[str, Any]]]
    ) -> list[str]:
        """Return the names of the rules that match; RuntimeError when the engine failed."""
        matched: set[str] = set()
        for name, handle, properties, relations, guards in self._shards:
            if any(message[prop] not in values for prop, values in guards):
                continue
            fact = {key: message[key] for key in properties}
            fact |= {"id": "f", "sid": sid, SENTINEL: True}
            try:
                if relations:
                    fact[KIND] = TICKET
                    # The ticket last: that there is no row is told rightly only so.
                    facts = [*_rows(sid, relations, related), fact]
                    code, state = engine.assert_facts(handle, json.dumps(facts))
                else:
                    code, state = engine.assert_fact(handle, json.dumps(fact))
                fired = _drained(handle, state) if code == _TAKEN else set()
            finally:
                engine.delete_state(handle, sid)
            if SENTINEL not in fired:
                raise RuntimeError(f"{name}: the ruleset did not look at the message, code {code}")
            matched |= fired
        matched.discard(SENTINEL)
        return sorted(matched)


def _rows(
    sid: str, relations: dict[str, list[str]], related: dict[str, list[dict[str, Any]]]
) -> Iterator[dict[str, Any]]:
    for relation, properties in relations.items():
        for number, row in enumerate(related[relation]):
            known = {key: row[key] for key in properties}
            yield known | {"id": f"{relation}{number}", "sid": sid, KIND: relation}


def _drained(handle: int, state: int) -> set[str]:
    """Return the rules whose actions wait, taking one after the other until none is left."""
    begun = engine.start_action_for_state(handle, state)
    action = begun[1] if begun else None
    fired = set()
    while action:
        fired.add(action[2 : action.index('"', 2)])  # {"rule":{...}}
        action = engine.complete_and_start_action(handle, state)
    return fired


def _answer(out: BinaryIO, answer: dict[str, Any]) -> None:
    out.write(json.dumps(answer).encode() + b"\n")
    out.flush()


def serve(source: BinaryIO, out: BinaryIO) -> None:
    """Answer requests until the input ends."""
    setup = json.loads(source.readline())
    try:
        matcher = Matcher(setup["shards"])
    except Exception as error:  # noqa: BLE001  # the package raises bare Exception
        _answer(out, {"error": f"{error}"})
        return
    _answer(out, {"fired": []})
    for line in source:
        signal.setitimer(signal.ITIMER_REAL, setup["limit_s"])
        request = json.loads(line)
        try:
            fired = matcher.match(request["sid"], request["message"], request["related"])
            answer: dict[str, Any] = {"fired": fired}
        except Exception as error:  # noqa: BLE001  # the package raises bare Exception
            answer = {"error": f"{error}"}
        signal.setitimer(signal.ITIMER_REAL, 0)
        _answer(out, answer)


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
