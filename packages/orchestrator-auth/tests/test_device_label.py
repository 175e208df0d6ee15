"""What is kept of what a browser says about itself."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator_auth._http.device import device_label

KNOWN = {"", *(f"{b}{' on ' * bool(b and s)}{s}" for b in ("", "Edge", "Opera", "Firefox", "Chrome", "Safari", "curl", "Python") for s in ("", "Android", "iPhone", "iPad", "Windows", "macOS", "Linux"))}  # fmt: skip


@given(
    st.text() | st.lists(st.sampled_from(["Chrome/1", "Edg/9", "Android 15", "iPhone", "x", "Zoe's "])).map(" ".join)
)
def test_whatever_is_said_only_kinds_are_kept(text) -> None:
    assert device_label(text) in KNOWN


def test_a_browser_that_names_others_too_is_itself() -> None:
    edge = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36 Edg/140.0"
    phone = (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile Safari/604.1"
    )
    assert device_label(edge) == "Edge on Windows"
    assert device_label(phone) == "Safari on iPhone"
