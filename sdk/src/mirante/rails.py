"""Rails: checks of what goes to the model and of what comes back.

A rail looks at one text and says pass, flag or block, or passes another text on. Each says what
holds when the rail itself fails or is too slow: ``fail_open`` (the text passes) or ``fail_closed``
(it is blocked), and which text the user sees instead of what it blocked (``fallback``).
"""

from __future__ import annotations

import inspect
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from mirante import _pii
from mirante._attacks import attack

OnFailure = Literal["fail_open", "fail_closed"]
Stage = Literal["input", "output"]


@dataclass(frozen=True)
class Verdict:
    """What a rail says of a text. ``text``: what passes on in its place, None for the text as it
    is. ``detail`` says what was found, never the text itself: it is published.

    Example::

        def no_prices(text: str) -> Verdict:
            return Verdict("block", detail="a price") if "R$" in text else Verdict("pass")
    """

    verdict: Literal["pass", "flag", "block"] = "pass"
    text: str | None = None
    detail: str = ""


PASS = Verdict()


class Rail:
    """A check of your own. ``check`` takes a text and returns a :class:`Verdict`, or a bool:
    whether the text passes. With :class:`mirante.AsyncClient` it may be async.

    ``on_failure``: what holds when ``check`` raises or takes longer than ``timeout`` seconds (None:
    as long as it likes, in the caller's thread). ``fallback``: what the user sees when it blocks.
    ``reach``: how many characters of a stream it must see at once; None: the whole text, so that
    nothing of the stream is shown before its end.

    Example::

        polite = mirante.Rail("polite", lambda text: "damn" not in text, fallback="Sorry.")
        client = mirante.Client(output_rails=[polite])
    """

    def __init__(
        self,
        name: str,
        check: Callable[[str], Any],
        *,
        on_failure: OnFailure = "fail_closed",
        fallback: str | None = None,
        timeout: float | None = 1.0,
        reach: int | None = None,
    ) -> None:
        if on_failure not in ("fail_open", "fail_closed"):
            raise ValueError(f'on_failure is "fail_open" or "fail_closed", not {on_failure!r}')
        self.name = name
        self.on_failure = on_failure
        self.fallback = fallback
        self.timeout = timeout
        self.reach = reach
        self._check = check

    def check(self, text: str, facts: Mapping[str, Any]) -> Any:
        """A Verdict, a bool, or an awaitable of either. ``facts``: fields of the call."""
        return self._check(text)

    @property
    def is_async(self) -> bool:
        """Whether ``check`` is a coroutine function."""
        return inspect.iscoroutinefunction(self._check)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} {self.on_failure}>"


def verdict_of(result: Any) -> Verdict:
    """What a check returned, as a Verdict. Raises TypeError for anything but a Verdict or a
    bool."""
    if isinstance(result, Verdict):
        return result
    if isinstance(result, bool):
        return PASS if result else Verdict("block")
    raise TypeError(f"a rail returns a Verdict or a bool, not {type(result).__name__}")


class BannedTerms(Rail):
    """Blocks a text that holds one of these words or phrases, whatever their case, accents or the
    blanks between words. ``action="flag"`` only says so.

    Example::

        mirante.BannedTerms(["project falcon"], fallback="I cannot talk about that.")
    """

    def __init__(
        self,
        terms: Iterable[str],
        *,
        name: str = "banned_terms",
        action: Literal["block", "flag"] = "block",
        on_failure: OnFailure = "fail_closed",
        fallback: str | None = None,
    ) -> None:
        words = sorted({_folded(term).strip() for term in terms} - {""}, key=len, reverse=True)
        if not words:
            raise ValueError("BannedTerms needs at least one term")
        self._pattern = re.compile(
            r"(?<!\w)(?:"
            + "|".join(r"\s+".join(map(re.escape, w.split())) for w in words)
            + r")(?!\w)"
        )
        self._action: Literal["block", "flag"] = action
        reach = 2 * max(map(len, words)) + 16
        super().__init__(
            name, self._find, on_failure=on_failure, fallback=fallback, timeout=None, reach=reach
        )

    def _find(self, text: str) -> Verdict:
        found = len(self._pattern.findall(_folded(text)))
        return Verdict(self._action, detail=f"{found} banned") if found else PASS


class PersonalData(Rail):
    """Masks CPF, CNPJ, cards, e-mail, telephone numbers, IBAN and keys with tags such as ``<CPF>``,
    or blocks a text that holds any. As an input rail it works before the provider sees the text.
    ``kinds``: only these, of ``CPF CNPJ CARD EMAIL PHONE IBAN SECRET``.

    Example::

        client = mirante.Client(input_rails=[mirante.PersonalData()])
    """

    def __init__(
        self,
        action: Literal["mask", "block", "flag"] = "mask",
        *,
        kinds: Iterable[str] | None = None,
        name: str = "personal_data",
        on_failure: OnFailure = "fail_closed",
        fallback: str | None = None,
    ) -> None:
        if action not in ("mask", "block", "flag"):
            raise ValueError(f'action is "mask", "block" or "flag", not {action!r}')
        self._action = action
        self._kinds = None if kinds is None else frozenset(kinds)
        if self._kinds is not None and not self._kinds <= set(_pii.KINDS):
            raise ValueError(f"kinds are of {', '.join(_pii.KINDS)}")
        super().__init__(
            name, self._find, on_failure=on_failure, fallback=fallback, timeout=None, reach=96
        )

    def _find(self, text: str) -> Verdict:
        masked, counts = _pii.mask(text, self._kinds)
        if not counts:
            return PASS
        detail = ", ".join(f"{kind} x{n}" if n > 1 else kind for kind, n in sorted(counts.items()))
        if self._action == "block":
            return Verdict("block", detail=detail)
        return Verdict("flag", masked if self._action == "mask" else None, detail)


class Injection(Rail):
    """Blocks plain attempts to overrule the instructions or to have them shown, in English,
    Portuguese and Spanish. Few patterns that ordinary text does not hold; the server's model, which
    looks afterwards, finds more. Text that only talks of such attempts may be blocked.

    Example::

        client = mirante.Client(input_rails=[mirante.Injection(action="flag")])
    """

    def __init__(
        self,
        *,
        name: str = "injection",
        action: Literal["block", "flag"] = "block",
        on_failure: OnFailure = "fail_closed",
        fallback: str | None = None,
    ) -> None:
        self._action: Literal["block", "flag"] = action
        super().__init__(
            name, self._find, on_failure=on_failure, fallback=fallback, timeout=None, reach=200
        )

    def _find(self, text: str) -> Verdict:
        found = attack(_folded(text))
        return Verdict(self._action, detail=found) if found else PASS


class JsonSchema(Rail):
    """Blocks an answer that is not JSON of this schema. Without ``schema`` the call's own
    ``output_schema`` counts, and a call without one passes. Answers that only call tools pass.
    Needs ``pip install mirante-sdk[schema]``; raises ImportError where that is missing.

    Example::

        mirante.JsonSchema({"type": "object", "required": ["city"]}, fallback='{"city": null}')
    """

    def __init__(
        self,
        schema: Mapping[str, Any] | bool | None = None,
        *,
        name: str = "json_schema",
        action: Literal["block", "flag"] = "block",
        on_failure: OnFailure = "fail_closed",
        fallback: str | None = None,
    ) -> None:
        try:
            import jsonschema_rs  # noqa: F401
        except ImportError as error:
            raise ImportError("JsonSchema needs: pip install 'mirante-sdk[schema]'") from error
        self._schema = schema
        self._action: Literal["block", "flag"] = action
        if schema is not None:
            _validator(json.dumps(schema))
        super().__init__(
            name, lambda text: PASS, on_failure=on_failure, fallback=fallback, timeout=None
        )

    def check(self, text: str, facts: Mapping[str, Any]) -> Verdict:
        """Raises where the schema itself is wrong: then ``on_failure`` holds."""
        schema = facts.get("output_schema") if self._schema is None else self._schema
        if schema is None:
            return PASS
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return Verdict(self._action, detail="not JSON")
        error = next(iter(_validator(json.dumps(schema)).iter_errors(value)), None)
        if error is None:
            return PASS
        path = "/".join(map(str, error.instance_path))
        return Verdict(self._action, detail=f"/{path}: {_keyword(error)}"[:200])


def _keyword(error: Any) -> str:
    path = list(error.schema_path)
    return next((str(part) for part in reversed(path) if isinstance(part, str)), "schema")


@lru_cache(maxsize=64)
def _validator(schema: str) -> Any:
    import jsonschema_rs

    patterns = jsonschema_rs.FancyRegexOptions(backtrack_limit=10_000)
    return jsonschema_rs.validator_for(
        json.loads(schema), validate_formats=False, offline=True, pattern_options=patterns
    )


def _folded(text: str) -> str:
    """Lower case without accents, for comparing."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(c for c in decomposed if not unicodedata.combining(c)).casefold()
