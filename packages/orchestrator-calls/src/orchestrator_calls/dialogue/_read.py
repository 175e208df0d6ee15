"""From the document to the parts of a script: every key read, every complaint kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import time
from typing import Final

from orchestrator_calls.dialogue._lexicon import LANGUAGES, Lexicon
from orchestrator_calls.dialogue._model import (
    KEYS,
    Command,
    Form,
    Intent,
    Menu,
    Option,
    Settings,
    Text,
    Value,
)
from orchestrator_calls.dialogue._nodes import Document, Node, nearest
from orchestrator_calls.dialogue._read_forms import FormReader
from orchestrator_calls.dialogue._read_texts import TextReader

__all__ = ["Draft", "read_parts", "read_settings"]

_ACTIONS: Final = ("form", "menu", "transfer", "hang_up", "command", "say")


@dataclass
class Draft:
    """The parts of a script by name; later ones replace earlier ones of the same name.

    `named` holds the forms, menus and patterns that were begun, so that what could not be read is not missed a second time.
    """

    texts: dict[str, Text] = field(default_factory=dict[str, Text])
    reasons: dict[str, Text] = field(default_factory=dict[str, Text])
    intents: dict[str, Intent] = field(default_factory=dict[str, Intent])
    forms: dict[str, Form] = field(default_factory=dict[str, Form])
    menus: dict[str, Menu] = field(default_factory=dict[str, Menu])
    values: dict[str, Value] = field(default_factory=dict[str, Value])
    named: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])


def read_settings(document: Document) -> Settings | None:
    """The `[script]` table; None when it is not good enough to go on."""
    node = document.root.table("script")
    if node is None:
        document.root.refuse("the table [script] is missing")
        return None
    languages = [tag for index, tag in node.strings("languages") if _known_language(node, index, tag)]
    if not languages:
        node.refuse(f"`languages` must name at least one of {', '.join(LANGUAGES)}", "languages")
    targets = tuple(target for _, target in node.strings("targets"))
    handoff = node.string("handoff") if node.require("handoff") else None
    settings = Settings(
        name=node.string("name") or "script",
        languages=tuple(dict.fromkeys(languages)),
        targets=targets,
        handoff=handoff or "",
        misunderstandings=node.integer("misunderstandings", 3, 1, 10),
        silences=node.integer("silences", 3, 1, 10),
        confidence=node.fraction("confidence", 0.3),
    )
    node.finish()
    if handoff is not None and handoff not in targets:
        node.refuse(f"`handoff` names no target `{handoff}`; {nearest(handoff, targets)}", "handoff")
    return settings if languages else None


def _known_language(node: Node, index: int, tag: str) -> bool:
    if tag in LANGUAGES:
        return True
    node.document.refuse(
        (*node.path, "languages", index), f"language `{tag}` is not supported; there is {', '.join(LANGUAGES)}"
    )
    return False


def read_parts(
    document: Document, draft: Draft, lexicons: Mapping[str, Lexicon], handoff: str, *, built_in: bool
) -> None:
    """Read everything but `[script]` into `draft`; the target `handoff` stands for the script's own.

    What is built in may have more languages than the script.
    """
    reader = _Reader(lexicons, handoff, built_in=built_in)
    root = document.root
    root.has("script")
    _read_values(root, draft, lexicons)
    _read_texts(root, "texts", draft.texts, reader)
    _read_texts(root, "reasons", draft.reasons, reader)
    for name, node in root.tables("forms"):
        draft.named.add(("form", name))
        form = reader.form(name, node)
        if form is not None:
            draft.forms[name] = form
    for name, node in root.tables("intents"):
        if node.has("patterns"):
            draft.named.add(("patterns", name))
        draft.intents[name] = reader.intent(name, node)
    for name, node in root.tables("menus"):
        draft.named.add(("menu", name))
        menu = reader.menu(name, node)
        if menu is not None:
            draft.menus[name] = menu
    root.finish()


def _read_texts(root: Node, kind: str, texts: dict[str, Text], reader: TextReader) -> None:
    known = frozenset(texts)
    for name, node in _named(root, kind):
        if not reader.built_in and name not in known:
            node.refuse(f"unknown {kind[:-1]} `{name}`; {nearest(name, known)}")
            continue
        text = reader.text_of(node)
        if text is not None:
            texts[name] = text


def _named(root: Node, kind: str) -> Iterable[tuple[str, Node]]:
    """The texts of a table of texts, each as a node whatever its form."""
    outer = root.table(kind)
    if outer is not None:
        for name in outer.names:
            node = outer.table(name)
            if node is not None:
                yield name, node


def _read_values(root: Node, draft: Draft, lexicons: Mapping[str, Lexicon]) -> None:
    node = root.table("values")
    if node is None:
        return
    for name in node.names:
        value = node.raw(name)
        if not name.isidentifier():
            node.refuse(f"`{name}` is no name of a value", name)
        elif isinstance(value, str | time) or (isinstance(value, int) and not isinstance(value, bool)):
            draft.values[name] = value
        elif isinstance(value, dict):
            inner = node.table(name)
            if inner is not None:
                draft.values[name] = {tag: inner.string(tag) or "" for tag in lexicons if inner.require(tag)}
                inner.finish()
        else:
            node.refuse(f"value `{name}` must be a text, a whole number, a time or a table of texts per language", name)


class _Reader(FormReader):
    def __init__(self, lexicons: Mapping[str, Lexicon], handoff: str, *, built_in: bool) -> None:
        super().__init__(lexicons, built_in=built_in)
        self._handoff = handoff

    def intent(self, name: str, node: Node) -> Intent:
        patterns = self.patterns(node, "patterns", required=False)
        say = self.text(node, "say")
        command = self._command(node)
        intent = Intent(
            name=name,
            place=node.place,
            reports=node.string("reports") or name,
            patterns=patterns,
            say=say,
            follow_up=node.boolean("follow_up", default=True),
            offer=node.string("offer"),
            fallback=node.boolean("fallback", default=False),
            courtesy=node.boolean("courtesy", default=False),
            always=node.boolean("always", default=False),
            form=node.string("form"),
            menu=node.string("menu"),
            transfer=self._target(node),
            hang_up=node.boolean("hang_up", default=False),
            command=command,
            unless=self.patterns(node, "unless", required=False),
            built_in=self.built_in,
        )
        node.finish()
        self._check_action(node, intent)
        return intent

    def _target(self, node: Node) -> str | None:
        target = node.string("transfer")
        return self._handoff if target == "handoff" else target

    def _command(self, node: Node) -> Command | None:
        written = node.string("command")
        if written is None or written in tuple(Command):
            return None if written is None else Command(written)
        node.refuse(f"unknown command `{written}`; {nearest(written, tuple(Command))}", "command")
        return None

    def _check_action(self, node: Node, intent: Intent) -> None:
        chosen = [key for key in ("form", "menu", "transfer", "command") if node.has(key)]
        if intent.hang_up:
            chosen.append("hang_up")
        if len(chosen) > 1:
            node.refuse(f"an intent does one thing, not {' and '.join(chosen)}", chosen[1])
        if not chosen and not node.has("say"):
            node.refuse(f"dead end: an intent needs one of {', '.join(_ACTIONS)}")
        if intent.always and intent.transfer is None:
            node.refuse("`always` is about a transfer, and the intent has none", "always")
        if (intent.fallback or intent.courtesy) and not intent.is_answer:
            node.refuse("only an answer (`say` alone) can be a `fallback` or a `courtesy`")
        if intent.offer is not None and chosen:
            node.refuse("only an answer (`say` alone) can make an offer", "offer")

    def menu(self, name: str, node: Node) -> Menu | None:
        say = self.required_text(node, "say")
        options: dict[str, Option] = {}
        taken: dict[str, str] = {}
        for intent, option in node.tables("options"):
            key = option.string("key")
            patterns = self.patterns(option, "patterns", required=False)
            option.finish()
            options[intent] = Option(name=intent, place=option.place, key=key, patterns=patterns)
            if key is None:
                continue
            if len(key) != 1 or key not in KEYS:
                option.refuse(f"`{key}` is no key; keys are 0 to 9, * and #", "key")
            elif key in taken:
                option.refuse(f"key {key} is taken by `{taken[key]}`", "key")
            taken.setdefault(key, intent)
        node.finish()
        if not options:
            node.refuse("dead end: a menu needs options: [menus.NAME.options.INTENT]")
        return None if say is None else Menu(name=name, place=node.place, say=say, options=options)
