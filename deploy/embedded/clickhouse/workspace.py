"""A handle as a request finds it: the session's own state below, the settings and database of the request above.

ClickHouse applies what stands in a URL to that one query and keeps what `SET` and `USE` did in the session. The engine
knows only the handle's state, so what a request lays over a session is remembered and taken off again: lazily, because
a client sends the same settings with every request and reading them back costs 4 ms. A request without a session takes the
handle with it, and nothing needs to be remembered.
"""

from collections.abc import Mapping
from functools import cached_property

from deploy.embedded.clickhouse.engine import Engine, Handle, identifier, literal
from deploy.embedded.clickhouse.errors import ClickHouseError

DEFAULT_DATABASE = "default"


class Workspace:
    """Blocking, for one request at a time; `lasting` if others follow, with settings of their own. `tag` becomes the log_comment that
    names the query in system.processes."""

    def __init__(self, engine: Engine, *, lasting: bool) -> None:
        self._engine = engine
        self._lasting = lasting
        self._laid: dict[str, str] = {}
        self._below: dict[str, str] = {}  # name -> the SQL expression that brings the session's own value back
        self._own_database = DEFAULT_DATABASE
        self._database = DEFAULT_DATABASE

    def enter(self, settings: Mapping[str, str], database: str | None, keyword: str, tag: str) -> None:
        """Make the handle ready for a statement that begins with `keyword`. On an error the session is as before."""
        wanted = {} if keyword == "SET" else dict(settings)  # what SET writes must be the session's, not a layer
        if wanted != self._laid:
            self._take_off()
            self._lay(wanted)
        if "log_comment" not in wanted:
            self.handle.set({"log_comment": tag})
        target = database or self._own_database
        if target != self._database:
            self.handle.use(target)
            self._database = target

    @cached_property
    def handle(self) -> Handle:
        """Made when it is first needed, hence in the thread that needs it."""
        return self._engine.handle()

    def close(self) -> None:
        """End the conversation, if there was one."""
        if "handle" in self.__dict__:
            self.handle.close()

    def note_database(self) -> None:
        """A USE has changed the database for good."""
        self._own_database = self._database = self.handle.rows("SELECT currentDatabase() AS name")[0]["name"]

    def _lay(self, settings: dict[str, str]) -> None:
        if not settings:
            return
        if not self._lasting:
            self.handle.set(settings)
            self._laid = settings
            return
        names = ", ".join(literal(name) for name in settings)
        # A setting the engine does not list, such as a custom one, goes back to its default.
        below = dict.fromkeys(settings, "DEFAULT")
        for row in self.handle.rows(f"SELECT name, value, changed FROM system.settings WHERE name IN ({names})"):
            if int(row["changed"]):
                below[row["name"]] = literal(row["value"])
        self._below = below
        self._laid = settings
        try:
            self.handle.set(settings)
        except ClickHouseError:
            self._take_off(only_known=True)
            raise

    def _take_off(self, only_known: bool = False) -> None:
        below, self._below, self._laid = self._below, {}, {}
        for name, value in below.items():
            try:
                self.handle.run(f"SET {identifier(name)} = {value}")
            except ClickHouseError:
                if not only_known:  # after a refused SET one of the names is what was refused
                    raise
