"""Reading forms and their slots."""

from __future__ import annotations

from datetime import time
from typing import Final

from orchestrator_calls.dialogue._model import Form, Option, Refused, Slot, SlotType
from orchestrator_calls.dialogue._nodes import Node, nearest
from orchestrator_calls.dialogue._read_texts import TextReader

__all__ = ["FormReader"]

_RESULTS: Final = (SlotType.TEXT, SlotType.CODE, SlotType.NUMBER, SlotType.DATE, SlotType.TIME)
"""How an answer of an action may be spoken."""
_DIGITS: Final = {SlotType.ROOM: 4, SlotType.PHONE: 15, SlotType.CODE: 12}
_BOUNDS: Final = {
    SlotType.TEXT: (1, 500),
    SlotType.NAME: (2, 60),
    SlotType.NUMBER: (0, 9999),
    SlotType.PARTY_SIZE: (1, 99),
    SlotType.PHONE: (6, 15),
    SlotType.ROOM: (1, 6),
    SlotType.CODE: (4, 12),
}


class FormReader(TextReader):
    """Reads forms."""

    def form(self, name: str, node: Node) -> Form | None:
        """The form, None when it cannot be used."""
        entries = node.tables("slots")
        if not entries:
            node.refuse("a form needs at least one slot: [forms.NAME.slots.SLOT]")
        read = [self._slot(slot_name, slot_node) for slot_name, slot_node in entries]
        slots = {slot.name: slot for slot in read if slot is not None}
        label, intro = self.required_text(node, "label"), self.text(node, "intro")
        confirm, done = self.required_text(node, "confirm"), self.required_text(node, "done")
        action, results = node.string("action"), self._results(node)
        acted, refused, refusals = self.text(node, "acted"), self.text(node, "refused"), self._refusals(node)
        if action is None and (results or acted or refused or refusals):
            node.refuse("`results`, `acted`, `refused` and `refusals` are about an `action`, and the form has none")
        node.finish()
        if label is None or confirm is None or done is None or len(slots) < len(read):
            return None
        return Form(
            name=name,
            place=node.place,
            label=label,
            slots=slots,
            confirm=confirm,
            done=done,
            intro=intro,
            action=action,
            results=results,
            acted=acted,
            refused=refused,
            refusals=refusals,
            built_in=self.built_in,
        )

    def _results(self, node: Node) -> dict[str, SlotType]:
        table = node.table("results")
        found: dict[str, SlotType] = {}
        for name in table.names if table is not None else ():
            written = table.string(name) if table is not None else None
            if table is not None and written is not None and written not in _RESULTS:
                table.refuse(f"`{written}` cannot be spoken as a result; {nearest(written, _RESULTS)}", name)
            elif written is not None:
                found[name] = SlotType(written)
        return found

    def _refusals(self, node: Node) -> dict[str, Refused]:
        found: dict[str, Refused] = {}
        for reason, entry in node.tables("refusals"):
            say, change = self.required_text(entry, "say"), entry.string("change")
            entry.finish()
            if say is not None:
                found[reason] = Refused(place=entry.place, say=say, change=change)
        return found

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
        self._check_hours(node, earliest, latest)
        self._check_digits(node, kind, digits)
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

    def _check_hours(self, node: Node, earliest: time | None, latest: time | None) -> None:
        if earliest is not None and latest is not None and earliest >= latest:
            node.refuse("dead end: no time lies between `earliest` and `latest`", "latest")

    def _check_digits(self, node: Node, kind: SlotType, digits: int) -> None:
        if digits and kind in (SlotType.TEXT, SlotType.NAME, SlotType.YES_NO, SlotType.CHOICE):
            node.refuse(f"a slot of type {kind} cannot be typed in digits", "digits")
        if digits and kind in (SlotType.DATE, SlotType.TIME) and digits != 4:
            node.refuse("a date is typed as DDMM and a time as HHMM: `digits` must be 4", "digits")

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
