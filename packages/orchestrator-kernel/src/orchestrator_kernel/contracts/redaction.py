"""What every `Redactor` promises."""

from __future__ import annotations

from orchestrator_kernel.ports import Json, Redactor


class RedactorContract:
    """Subclass, and return a fresh redactor from `make`. `personal` is a text that it must redact by form alone."""

    personal = "write to zoe@example.org"
    harmless = "the third sentence was spoken"

    def make(self) -> Redactor:
        raise AssertionError("return the redactor under test")

    def test_harmless_text_stays(self) -> None:
        assert self.make().redact_text(self.harmless) == self.harmless

    def test_personal_text_goes(self) -> None:
        assert "zoe@example.org" not in self.make().redact_text(self.personal)

    def test_trees_keep_their_shape_and_their_argument(self) -> None:
        tree: dict[str, Json] = {"a": [self.personal, 1, None, True], "b": {"c": self.harmless}}
        redacted = self.make().redact(tree)
        assert isinstance(redacted, dict)
        assert redacted["b"] == {"c": self.harmless}
        assert "zoe@example.org" not in str(redacted)
        assert tree["a"] == [self.personal, 1, None, True]

    def test_known_values_go_for_their_call_only_and_until_forgotten(self) -> None:
        redactor = self.make()
        redactor.know("call-1", ["Quentin Zyx"])
        assert "Zyx" not in redactor.redact_text("QUENTIN ZYX asked", call="call-1")
        assert redactor.redact_text("Quentin Zyx asked", call="call-2") == "Quentin Zyx asked"
        redactor.forget("call-1")
        redactor.forget("call-1")
        assert redactor.redact_text("Quentin Zyx asked", call="call-1") == "Quentin Zyx asked"
