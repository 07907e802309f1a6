"""The texts that a pack is made of, together: what is published, stored, and read again."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Self

from pydantic import TypeAdapter, ValidationError

from support.errors import PackError


@dataclass(frozen=True, slots=True)
class Bundle:
    """A pack's own text, its macros, and the packs that it imports, by name.

    `file` and `macros_file` are what errors call them.
    """

    text: str
    macros: str
    file: str = "pack.yaml"
    macros_file: str = "macros.yaml"
    imports: Mapping[str, str] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """Digest of the texts: equal for equal packs, wherever they lie."""
        texts = [self.text, self.macros, sorted(self.imports.items())]
        whole = json.dumps(texts, ensure_ascii=True)
        return hashlib.sha256(whole.encode()).hexdigest()[:12]

    def to_json(self) -> str:
        """Return it as one text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str, version: str = "") -> Self:
        """Return what `to_json` made a text of; PackError where it was something else.

        With `version` also where it is not the one that was stored under it.
        """
        try:
            found = TypeAdapter(cls).validate_json(text)
        except ValidationError as error:
            raise PackError("this is no stored pack: publish it again from its file") from error
        if version and found.version != version:
            raise PackError(
                f"what is stored as pack {version} is {found.version}: it was changed in the "
                "store; publish it again from its file"
            )
        return found
