"""What the pages may load and do, told to the browser: nothing from elsewhere, no script in the markup."""

from __future__ import annotations

from typing import Final

_STRICT: Final = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}

# Monaco, the playground's editor, writes its themes into <style> elements and knows no nonce; its
# workers are files of ours, and GraphiQL's fonts stand in its style sheet.
_PLAYGROUND: Final = {
    **_STRICT,
    "style-src": "'self' 'unsafe-inline'",
    "font-src": "'self' data:",
    "worker-src": "'self'",
}


def _policy(directives: dict[str, str]) -> str:
    return "; ".join(f"{name} {sources}" for name, sources in directives.items())


API_POLICY: Final = "default-src 'none'; frame-ancestors 'none'"
"""For answers that are no pages, should a browser be made to show one."""

PAGE_POLICY: Final = _policy(_STRICT)
"""For the page for people, the plain form and every asset."""

PLAYGROUND_POLICY: Final = _policy(_PLAYGROUND)
"""For the playground."""
