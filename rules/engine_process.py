"""The child process that holds durable_rules: reads requests, writes answers, one line each.

It can be killed at any instant, and ends by itself when its parent does: at the end of its input,
or when one request takes longer than the limit it was given (SIGALRM ends even a loop in C).

First line in:  {"limit_s": 4.0, "shards": [{"name", "definition", "properties", "related"}]}
Then, each:     {"sid": "1", "message": {...}, "related": {"lanes": [{...}]}}
Answer:         {"fired": [...]} or {"error": "..."}
"""

import json
import signal
import sys
from collections.abc import Callable
from typing import Any, BinaryIO

from durable import engine as durable

SENTINEL = "always"
KIND = "kind"
TICKET = "t"


class _Host(durable.Host):  # type: ignore[misc]  # the package ships no types
    def _run(self) -> None:
        """Start no threads: the package's dispatch actions behind the caller and mix them up."""


class Matcher:
    """One host with every ruleset of a pack; tells which rules match one message."""

    def __init__(self, shards: list[dict[str, Any]]) -> None:
        self._fired: set[str] = set()
        self._host = _Host()
        self._shards = [(s["name"], s["properties"], s["related"]) for s in shards]
        for shard in shards:
            # The package empties the definitions it is given, so it gets its own.
            definition = {
                rule: {**body, "run": self._note(rule)}
                for rule, body in shard["definition"].items()
            }
            self._host.register_rulesets({shard["name"]: definition})

    def _note(self, rule: str) -> Callable[[object], None]:
        def run(_context: object) -> None:
            self._fired.add(rule)

        return run

    def match(
        self, sid: str, message: dict[str, Any], related: dict[str, list[dict[str, Any]]]
    ) -> list[str]:
        """Return the names of the rules that match; RuntimeError when the engine failed."""
        matched: set[str] = set()
        for name, properties, relations in self._shards:
            self._fired.clear()
            fact = {key: message[key] for key in properties}
            fact |= {"id": "f", "sid": sid, SENTINEL: True}
            try:
                if relations:
                    state = self._join(name, fact, relations, related)
                else:
                    state = self._host.assert_fact(name, fact)
            except durable.MessageNotHandledException:
                state = {}
            finally:
                self._host.delete_state(name, sid)
            if isinstance(state, dict) and state.get("exception"):
                raise RuntimeError(f"{name}: {state['exception']}")
            if SENTINEL not in self._fired:
                raise RuntimeError(f"{name}: the ruleset did not look at the message")
            matched |= self._fired
        matched.discard(SENTINEL)
        return sorted(matched)

    def _join(
        self,
        name: str,
        fact: dict[str, Any],
        relations: dict[str, list[str]],
        related: dict[str, list[dict[str, Any]]],
    ) -> object:
        """Assert the rows and then the ticket: that there is no row is told rightly only so."""
        facts = []
        for relation, properties in relations.items():
            for number, row in enumerate(related[relation]):
                known = {key: row[key] for key in properties}
                known |= {"id": f"{relation}{number}", "sid": fact["sid"], KIND: relation}
                facts.append(known)
        return self._host.assert_facts(name, [*facts, {**fact, KIND: TICKET}])


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
