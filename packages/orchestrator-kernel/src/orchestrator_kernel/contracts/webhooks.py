"""What every `WebhookVerifier` promises."""

from __future__ import annotations

from dataclasses import replace

from orchestrator_kernel.ports import WebhookRefused, WebhookRequest, WebhookVerifier

HOSTILE_VALUES = (
    "",
    " ",
    "\x00",
    "é",
    "ÿ" * 50,
    "9" * 5000,
    "=" * 100,
    ",,,",
    "a.b.c",
    "t=,v1=",
    "nan",
    "1e999",
    "-1",
    "{}" * 100,
)


class WebhookVerifierContract:
    """Subclass; return a verifier from `make` and a request it accepts, signed by an independent signer, from `signed`."""

    def make(self) -> WebhookVerifier:
        raise AssertionError("return the verifier under test")

    def signed(self, body: bytes) -> WebhookRequest:
        raise AssertionError(f"return a request with {len(body)} bytes that the verifier accepts")

    def refuses(self, request: WebhookRequest) -> bool:
        try:
            self.make().verify(request)
        except WebhookRefused as refusal:
            assert refusal.status in {401, 413}
            assert refusal.reason not in str(refusal)
            return True
        return False

    def test_accepts_a_signed_request(self) -> None:
        for body in (b"{}", b'{"a": "\xc3\xa9"}', b"x" * 10_000):
            assert self.make().verify(self.signed(body)).source

    def test_header_names_have_no_case(self) -> None:
        request = self.signed(b"{}")
        self.make().verify(replace(request, headers=[(name.upper(), value) for name, value in request.headers]))

    def test_refuses_when_any_signed_header_is_missing_repeated_or_hostile(self) -> None:
        request = self.signed(b"{}")
        for index, (name, value) in enumerate(request.headers):
            others = [header for position, header in enumerate(request.headers) if position != index]
            assert self.refuses(replace(request, headers=others)), f"{name} missing"
            assert self.refuses(replace(request, headers=[*request.headers, (name, value)])), f"{name} repeated"
            for hostile in HOSTILE_VALUES:
                assert self.refuses(replace(request, headers=[*others, (name, hostile)])), f"{name}: {hostile[:20]!r}"


class SignedBodyContract(WebhookVerifierContract):
    """For verifiers whose sender signs the body; a static key, which proves no body, passes the rest alone."""

    def test_refuses_every_other_body(self) -> None:
        request = self.signed(b'{"a": 1}')
        for body in (b"", b'{"a": 2}', b'{"a": 1} ', b'{"a": 1}\x00'):
            assert self.refuses(replace(request, body=body))
