"""Reading texts and patterns, each in every language of the script."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orchestrator_calls.dialogue._lexicon import LANGUAGES, Lexicon
from orchestrator_calls.dialogue._model import Phrase, Sentence, Text
from orchestrator_calls.dialogue._nodes import Node
from orchestrator_calls.dialogue._pattern import PatternError, compile_pattern
from orchestrator_calls.dialogue._templates import TemplateError, parse_sentence

__all__ = ["TextReader"]


class TextReader:
    """Reads what is written per language; what is built in may have more languages than the script."""

    def __init__(self, lexicons: Mapping[str, Lexicon], *, built_in: bool) -> None:
        self._lexicons = lexicons
        self.built_in = built_in

    def text(self, parent: Node, key: str) -> Text | None:
        """The text at `key`, None where there is none."""
        node = parent.table(key)
        return None if node is None else self.text_of(node)

    def required_text(self, parent: Node, key: str) -> Text | None:
        """The text at `key`, which must be there."""
        return self.text(parent, key) if parent.require(key) else None

    def text_of(self, node: Node) -> Text | None:
        """The text that `node` holds, None when a language is missing or wrong."""
        sentences = {tag: found for tag in self._lexicons if (found := self._sentences(node, tag))}
        lines = {tag: node.at(tag).line for tag in sentences}
        self._finish_languages(node)
        if len(sentences) < len(self._lexicons):
            return None
        return Text(node.place, sentences, lines)

    def _sentences(self, node: Node, tag: str) -> tuple[Sentence, ...]:
        if not node.has(tag):
            node.refuse(f"the translation for `{tag}` is missing")
            return ()
        value = node.raw(tag)
        written = [(0, value)] if isinstance(value, str) else node.strings(tag)
        if isinstance(value, list) and not value:
            node.refuse(f"the list for `{tag}` is empty", tag)
        found: list[Sentence] = []
        for index, sentence in written:
            path = (*node.path, tag) if isinstance(value, str) else (*node.path, tag, index)
            try:
                found.append(parse_sentence(sentence))
            except TemplateError as error:
                node.document.refuse(path, str(error))
        return tuple(found)

    def patterns(self, parent: Node, key: str, *, required: bool) -> dict[str, tuple[Phrase, ...]]:
        """The patterns at `key` by language, none where there is no such table."""
        node = parent.table(key)
        if node is None:
            if required and not parent.has(key):
                parent.refuse(f"`{key}` is missing")
            return {}
        return self.patterns_of(node)

    def patterns_of(self, node: Node) -> dict[str, tuple[Phrase, ...]]:
        """The patterns that `node` holds."""
        found: dict[str, tuple[Phrase, ...]] = {}
        for tag, lexicon in self._lexicons.items():
            if not node.has(tag):
                node.refuse(f"the patterns for `{tag}` are missing")
                continue
            found[tag] = tuple(self._phrases(node, tag, lexicon))
        self._finish_languages(node)
        return found

    def _phrases(self, node: Node, tag: str, lexicon: Lexicon) -> Iterable[Phrase]:
        written = node.strings(tag)
        if isinstance(node.raw(tag), list) and not node.raw(tag):
            node.refuse(f"the list for `{tag}` is empty", tag)
        for index, source in written:
            path = (*node.path, tag, index)
            try:
                yield Phrase(node.document.place(path), compile_pattern(source, lexicon.normaliser))
            except PatternError as error:
                node.document.refuse(path, f"pattern `{source}`: {error}")

    def _finish_languages(self, node: Node) -> None:
        if self.built_in:
            for tag in LANGUAGES:
                node.has(tag)
        node.finish()
