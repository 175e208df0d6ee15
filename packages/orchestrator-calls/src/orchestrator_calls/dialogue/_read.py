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
    Phrase,
    Sentence,
    Settings,
    Slot,
    SlotType,
    Text,
    Value,
)
from orchestrator_calls.dialogue._nodes import Document, Node, nearest
from orchestrator_calls.dialogue._pattern import PatternError, compile_pattern
from orchestrator_calls.dialogue._templates import TemplateError, parse_sentence

__all__ = ["Draft", "read_parts", "read_settings"]

_ACTIONS: Final = ("form", "menu", "transfer", "hang_up", "command", "say")
_DIGITS: Final = {SlotType.ROOM: 4, SlotType.PHONE: 15, SlotType.CODE: 12}
_BOUNDS: Final = {
    SlotType.TEXT: (1, 200),
    SlotType.NAME: (2, 60),
    SlotType.NUMBER: (0, 9999),
    SlotType.PARTY_SIZE: (1, 99),
    SlotType.PHONE: (6, 15),
    SlotType.ROOM: (1, 6),
    SlotType.CODE: (4, 12),
}


@dataclass
class Draft:
    """The parts of a script by name; later ones replace earlier ones of the same name.

    `named` holds the forms and menus that were begun, so that one which could not be read is not missed a second time.
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
    for kind, texts in (("texts", draft.texts), ("reasons", draft.reasons)):
        known = frozenset(texts)
        for name, node in _named(root, kind):
            if not built_in and name not in known:
                node.refuse(f"unknown text `{name}`; {nearest(name, known)}")
                continue
            text = reader.text_of(node)
            if text is not None:
                texts[name] = text
    for name, node in root.tables("forms"):
        draft.named.add(("form", name))
        form = reader.form(name, node)
        if form is not None:
            draft.forms[name] = form
    for name, node in root.tables("intents"):
        draft.intents[name] = reader.intent(name, node)
    for name, node in root.tables("menus"):
        draft.named.add(("menu", name))
        menu = reader.menu(name, node)
        if menu is not None:
            draft.menus[name] = menu
    root.finish()


def _named(root: Node, kind: str) -> Iterable[tuple[str, Node]]:
    """The texts of a table of texts, each as a node whatever its form."""
    outer = root.table(kind)
    if outer is not None:
        for name in outer.keys():
            node = outer.table(name)
            if node is not None:
                yield name, node


def _read_values(root: Node, draft: Draft, lexicons: Mapping[str, Lexicon]) -> None:
    node = root.table("values")
    if node is None:
        return
    for name in node.keys():
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


class _Reader:
    def __init__(self, lexicons: Mapping[str, Lexicon], handoff: str, *, built_in: bool) -> None:
        self._lexicons = lexicons
        self._handoff = handoff
        self._built_in = built_in

    def text(self, parent: Node, key: str) -> Text | None:
        node = parent.table(key)
        return None if node is None else self.text_of(node)

    def required_text(self, parent: Node, key: str) -> Text | None:
        return self.text(parent, key) if parent.require(key) else None

    def text_of(self, node: Node) -> Text | None:
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
        node = parent.table(key)
        if node is None:
            if required and not parent.has(key):
                parent.refuse(f"`{key}` is missing")
            return {}
        return self.patterns_of(node)

    def patterns_of(self, node: Node) -> dict[str, tuple[Phrase, ...]]:
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
        if self._built_in:
            for tag in LANGUAGES:
                node.has(tag)
        node.finish()

    def form(self, name: str, node: Node) -> Form | None:
        slots: dict[str, Slot] = {}
        entries = node.tables("slots")
        if not entries:
            node.refuse("a form needs at least one slot: [forms.NAME.slots.SLOT]")
        for slot_name, slot_node in entries:
            slot = self._slot(slot_name, slot_node)
            if slot is not None:
                slots[slot_name] = slot
        label, intro = self.required_text(node, "label"), self.text(node, "intro")
        confirm, done = self.required_text(node, "confirm"), self.required_text(node, "done")
        node.finish()
        if label is None or confirm is None or done is None:
            return None
        return Form(name=name, place=node.place, label=label, slots=slots, confirm=confirm, done=done, intro=intro)

    def _slot(self, name: str, node: Node) -> Slot | None:
        written = node.string("type") if node.require("type") else None
        if written is not None and written not in tuple(SlotType):
            node.refuse(f"unknown slot type `{written}`; {nearest(written, tuple(SlotType))}", "type")
            written = None
        label, ask = self.required_text(node, "label"), self.required_text(node, "ask")
        retry, help_, reason = self.text(node, "retry"), self.text(node, "help"), self.text(node, "reason")
        required, sensitive = node.boolean("required", default=True), node.boolean("sensitive", default=False)
        patterns = self.patterns(node, "patterns", required=False)
        if written is None:
            return None
        kind = SlotType(written)
        low, high = self._bounds(node, kind)
        earliest, latest = (node.time("earliest"), node.time("latest")) if kind is SlotType.TIME else (None, None)
        within = node.integer("within_days", 0, 0, 3650) if kind is SlotType.DATE else 0
        after = node.string("after") if kind is SlotType.DATE else None
        options = self._options(node) if kind is SlotType.CHOICE else ()
        digits = node.integer("digits", self._default_digits(kind, high), 0, 20)
        node.finish()
        if earliest is not None and latest is not None and earliest >= latest:
            node.refuse("dead end: no time lies between `earliest` and `latest`", "latest")
        if digits and kind in (SlotType.TEXT, SlotType.NAME, SlotType.YES_NO, SlotType.CHOICE):
            node.refuse(f"a slot of type {kind} cannot be typed in digits", "digits")
        if digits and kind in (SlotType.DATE, SlotType.TIME) and digits != 4:
            node.refuse("a date is typed as DDMM and a time as HHMM: `digits` must be 4", "digits")
        if label is None or ask is None:
            return None
        return Slot(
            name=name,
            type=kind,
            place=node.place,
            label=label,
            ask=ask,
            retry=retry,
            help=help_,
            reason=reason,
            required=required,
            low=low,
            high=high,
            earliest=earliest,
            latest=latest,
            within_days=within or None,
            after=after,
            options=options,
            patterns=patterns,
            digits=digits,
            sensitive=sensitive,
        )

    def _bounds(self, node: Node, kind: SlotType) -> tuple[int, int]:
        if kind not in _BOUNDS:
            return 0, 0
        low, high = _BOUNDS[kind]
        most = max(high, 20)
        least, greatest = node.integer("min", low, 0, most), node.integer("max", high, 0, most)
        if least > greatest:
            node.refuse(
                f"dead end: no value lies between `min` ({least}) and `max` ({greatest})",
                "max" if node.has("max") else "min",
            )
        return least, greatest

    def _default_digits(self, kind: SlotType, high: int) -> int:
        if kind in (SlotType.NUMBER, SlotType.PARTY_SIZE):
            return len(str(high))
        return min(_DIGITS.get(kind, 0), high) if kind in _DIGITS else 0

    def _options(self, node: Node) -> tuple[Option, ...]:
        entries = node.tables("options")
        if len(entries) < 2:
            node.refuse("dead end: a choice needs at least two options: [….options.NAME]", "options")
        found: list[Option] = []
        for name, option in entries:
            label = self.required_text(option, "label")
            patterns = self.patterns(option, "patterns", required=True)
            option.finish()
            found.append(Option(name=name, place=option.place, label=label, patterns=patterns))
        return tuple(found)

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
            form=node.string("form"),
            menu=node.string("menu"),
            transfer=self._target(node),
            hang_up=node.boolean("hang_up", default=False),
            command=command,
            built_in=self._built_in,
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
