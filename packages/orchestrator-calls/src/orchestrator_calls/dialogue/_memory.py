"""What a call remembers between turns, as small JSON.

The tree is documented in `scripted`. What comes back may be of an older script, or no memory of ours at all: each part is taken when it
makes sense and left out when not, so that a call goes on whatever it is given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, cast

from orchestrator_calls.dialogue._model import Form
from orchestrator_calls.dialogue._values import well_formed
from orchestrator_kernel.ports import Json

__all__ = ["Filling", "Memory", "Pending", "Question", "Stage"]

_COMPLETED: Final = 20
_SUSPENDED: Final = 3
_SAID: Final = 6
_LONGEST: Final = 500
_GREATEST: Final = 10**15
_NOTICES: Final = 12


class Stage(StrEnum):
    """Where a form stands: asking for a slot, asking whether all is right, or asking what is not."""

    ASK = "ask"
    CONFIRM = "confirm"
    CHANGE = "change"


class Question(StrEnum):
    """A question outside of forms that a yes or no answers."""

    MORE = "more"
    OFFER = "offer"


@dataclass
class Filling:
    """A form that is being filled: its slots so far, the one that is asked for, and the intent that started it."""

    form: str
    intent: str = ""
    slots: dict[str, Json] = field(default_factory=dict[str, Json])
    stage: Stage = Stage.ASK
    asking: str = ""


@dataclass
class Pending:
    """A form that the caller confirmed and an action carries out: its outcome is still to come."""

    action: str
    filling: Filling


@dataclass
class Memory:
    """All that is kept."""

    language: str = ""
    filling: Filling | None = None
    suspended: list[Filling] = field(default_factory=list[Filling])
    menu: str = ""
    question: Question | None = None
    offer: str = ""
    misses: int = 0
    said: list[str] = field(default_factory=list[str])
    completed: list[dict[str, Json]] = field(default_factory=list[dict[str, Json]])
    pending: list[Pending] = field(default_factory=list[Pending])
    notices: list[dict[str, Json]] = field(default_factory=list[dict[str, Json]])
    turned_away: int = 0

    @classmethod
    def read(cls, memory: Mapping[str, Json], forms: Mapping[str, Form]) -> Memory:
        """What of `memory` makes sense with these forms."""
        tree = cast("Mapping[str, object]", memory)
        misses = tree.get("misses")
        question, away = tree.get("question"), tree.get("turned_away")
        return cls(
            language=_text(tree.get("language")),
            filling=_filling(tree.get("form"), forms),
            suspended=_fillings(tree.get("suspended"), forms)[-_SUSPENDED:],
            menu=_text(tree.get("menu")),
            question=Question(question) if isinstance(question, str) and question in tuple(Question) else None,
            offer=_text(tree.get("offer")),
            misses=min(misses, 99) if isinstance(misses, int) and misses > 0 else 0,
            said=[item for item in _list(tree.get("said")) if isinstance(item, str)][:_SAID],
            completed=[done for item in _list(tree.get("completed")) if (done := _done(item))][-_COMPLETED:],
            pending=[each for item in _list(tree.get("pending")) if (each := _pending(item, forms))][-_SUSPENDED:],
            notices=[told for item in _list(tree.get("notices")) if (told := _notice(item))][:_NOTICES],
            turned_away=min(away, 99) if isinstance(away, int) and away > 0 else 0,
        )

    def write(self) -> dict[str, Json]:
        """The tree, without what is empty."""
        tree: dict[str, Json] = {
            "language": self.language,
            "form": _tree(self.filling) if self.filling else None,
            "suspended": [_tree(waiting) for waiting in self.suspended[-_SUSPENDED:]],
            "menu": self.menu,
            "question": self.question.value if self.question else None,
            "offer": self.offer,
            "misses": self.misses,
            "said": self.said[:_SAID],
            "completed": list(self.completed[-_COMPLETED:]),
            "pending": [{**_tree(each.filling), "action": each.action} for each in self.pending[-_SUSPENDED:]],
            "notices": list(self.notices[:_NOTICES]),
            "turned_away": self.turned_away,
        }
        return {key: value for key, value in tree.items() if value}


def _tree(filling: Filling) -> dict[str, Json]:
    return {
        "name": filling.form,
        "intent": filling.intent,
        "slots": dict(filling.slots),
        "stage": filling.stage.value,
        "asking": filling.asking,
    }


def _filling(tree: object, forms: Mapping[str, Form]) -> Filling | None:
    if not isinstance(tree, Mapping):
        return None
    found = cast("Mapping[str, object]", tree)
    form = forms.get(_text(found.get("name")))
    if form is None:
        return None
    stage = _text(found.get("stage"))
    asking = _text(found.get("asking"))
    return Filling(
        form=form.name,
        intent=_text(found.get("intent")),
        slots=_slots(found.get("slots"), form),
        stage=Stage(stage) if stage in tuple(Stage) else Stage.ASK,
        asking=asking if asking in form.slots else "",
    )


def _fillings(tree: object, forms: Mapping[str, Form]) -> list[Filling]:
    return [filling for item in _list(tree) if (filling := _filling(item, forms))]


def _done(tree: object) -> dict[str, Json] | None:
    if not isinstance(tree, Mapping):
        return None
    found = cast("Mapping[str, object]", tree)
    name, slots = _text(found.get("form")), found.get("slots")
    if not name or not isinstance(slots, Mapping):
        return None
    done: dict[str, Json] = {"form": name, "slots": _scalars(cast("Mapping[str, object]", slots))}
    for key in ("outcome", "reason"):
        if said := _text(found.get(key)):
            done[key] = said
    data = found.get("data")
    if isinstance(data, Mapping):
        done["data"] = _scalars(cast("Mapping[str, object]", data))
    return done


def _pending(tree: object, forms: Mapping[str, Form]) -> Pending | None:
    filling = _filling(tree, forms)
    action = _text(cast("Mapping[str, object]", tree).get("action")) if filling is not None else ""
    return Pending(action, filling) if filling is not None and action else None


def _notice(tree: object) -> dict[str, Json] | None:
    if not isinstance(tree, Mapping):
        return None
    found = cast("Mapping[str, object]", tree)
    kind, language, times = _text(found.get("kind")), _text(found.get("language")), found.get("times")
    return {"kind": kind, "language": language, "times": times} if kind and isinstance(times, int) else None


def _slots(tree: object, form: Form) -> dict[str, Json]:
    if not isinstance(tree, Mapping):
        return {}
    values = _scalars(cast("Mapping[str, object]", tree))
    return {
        name: value for name, value in values.items() if name in form.slots and well_formed(form.slots[name], value)
    }


def _scalars(tree: Mapping[str, object]) -> dict[str, Json]:
    return {
        str(name)[:80]: value
        for name, value in tree.items()
        if (isinstance(value, str) and len(value) <= _LONGEST) or (isinstance(value, int) and abs(value) <= _GREATEST)
    }


def _text(value: object) -> str:
    return value[:80] if isinstance(value, str) else ""


def _list(value: object) -> Sequence[object]:
    return cast("Sequence[object]", value) if isinstance(value, list | tuple) else ()
