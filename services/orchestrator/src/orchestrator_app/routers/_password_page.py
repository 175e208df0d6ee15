"""The page that a one-time link leads to: a password is chosen in it. The link's token stands in the fragment, which no server sees before the form is sent."""

from __future__ import annotations

from typing import Final

__all__ = ["PAGE"]

PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Choose a password</title>
<style>
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 26rem; margin: 4rem auto; padding: 0 1rem; }
label, input, button { display: block; width: 100%; box-sizing: border-box; font: inherit; }
input { margin: 0.25rem 0 1rem; padding: 0.5rem; }
button { padding: 0.6rem; cursor: pointer; }
[role="status"] { margin-top: 1rem; }
</style>
</head>
<body>
<main>
<h1>Choose a password</h1>
<form>
<label for="password">New password, several words</label>
<input id="password" type="password" autocomplete="new-password" required maxlength="256">
<label for="again">Once more</label>
<input id="again" type="password" autocomplete="new-password" required maxlength="256">
<button>Set the password</button>
</form>
<p role="status" aria-live="polite"></p>
<p id="after" hidden><a href="../../console/login">Sign in to the console</a></p>
</main>
<script>
const token = decodeURIComponent(location.hash.slice(1));
history.replaceState(null, "", location.pathname);
const form = document.querySelector("form"), told = document.querySelector("[role=status]"), after = document.querySelector("#after");
if (!token) { told.textContent = "This page needs the whole link. Open it again as it was given to you."; }
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const [password, again] = [form.elements.password.value, form.elements.again.value];
  if (password !== again) { told.textContent = "The two are not the same."; return; }
  const answer = await fetch(location.pathname, {
    method: "POST", credentials: "omit", headers: {"content-type": "application/json"}, body: JSON.stringify({token, password}),
  }).catch(() => null);
  if (answer === null) { told.textContent = "The service does not answer. Try again."; return; }
  if (answer.status === 204) {
    form.remove();
    told.textContent = "Your password is set.";
    after.hidden = false;
    after.firstElementChild.focus();
    return;
  }
  const problem = await answer.json();
  told.textContent = answer.status === 401 ? "This link is used or over. Ask for a new one." : problem.detail;
});
</script>
</body>
</html>
"""
"""Whole and self-contained; its script and style are allowed by their hashes."""
