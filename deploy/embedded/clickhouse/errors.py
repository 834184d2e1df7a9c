"""What ClickHouse says when something is wrong, and the HTTP status it says it with."""

import re

SYNTAX_ERROR = 62
READONLY = 164
REQUIRED_PASSWORD = 194
ACCESS_DENIED = 497
AUTHENTICATION_FAILED = 516
SESSION_NOT_FOUND = 372
SESSION_IS_LOCKED = 373
INVALID_SESSION_TIMEOUT = 374
NOT_IMPLEMENTED = 48
CANNOT_OPEN_FILE = 76
UNKNOWN_EXCEPTION = 1002

_CODE = re.compile(r"Code: (\d+)\. DB::")


class ClickHouseError(Exception):
    """A statement the engine refused, or an engine that could not be opened.

    `code` is ClickHouse's error code (system.errors), `message` its text, `Code: 60. DB::Exception: ...`.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def server_error(code: int, name: str, text: str) -> ClickHouseError:
    """An error this server raises itself, worded the way ClickHouse words its own."""
    return ClickHouseError(code, f"Code: {code}. DB::Exception: {text} ({name})")


def from_engine(problem: BaseException) -> ClickHouseError:
    """The engine's exception, which carries ClickHouse's text behind a prefix of chdb's own."""
    text = str(problem)
    found = _CODE.search(text)
    if found is None:
        return server_error(UNKNOWN_EXCEPTION, "UNKNOWN_EXCEPTION", text or type(problem).__name__)
    return ClickHouseError(int(found[1]), text[found.start() :].strip())


# ClickHouse, src/Server/HTTP/exceptionCodeToHTTPStatus.cpp; every other code is 500.
_STATUS_CODES: dict[int, tuple[int, ...]] = {
    400: (6, 8, 15, 25, 26, 27, 36, 37, 38, 41, 44, 53, 62, 72, 117, 123, 167, 168, 223, 321, 376, 427, 441, 675, 676),
    401: (194,),
    403: (192, 193, 497, 512, 516),
    404: (46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511),
    408: (159,),
    411: (381,),
    413: (229,),
    415: (779,),
    501: (48,),
    503: (76, 209, 439),
}
_STATUS = {code: status for status, codes in _STATUS_CODES.items() for code in codes}


def http_status(code: int) -> int:
    """The HTTP status that ClickHouse answers an error code with."""
    return _STATUS.get(code, 500)
