"""What Apache Kafka needs in order to run here: a Java runtime, and the broker's jars.

The jars come from Maven's default repository once and are kept. `MIRANTE_KAFKA_HOME` names another place: a directory
with `libs/*.jar`, which may be an unpacked Apache Kafka distribution; then Maven is not needed.
"""

import asyncio
import contextlib
import fcntl
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

from deploy.embedded.processes import ManagedProcess, run_to_end

HERE = Path(__file__).parent
POM = HERE / "pom.xml"
LOG_CONFIG = HERE / "log4j2.xml"

HOME_VARIABLE = "MIRANTE_KAFKA_HOME"
MINIMUM_JAVA = 17
DOWNLOAD_TIMEOUT = 900.0
PROGRESS_SECONDS = 5.0

Progress = Callable[[str], None]


class KafkaUnavailable(RuntimeError):
    """Apache Kafka cannot run on this machine. The text says what to install."""


def report(line: str) -> None:
    """Progress for people: standard output belongs to results."""
    print(line, file=sys.stderr, flush=True)


def kafka_version() -> str:
    """The version `pom.xml` names: the one place that says it."""
    version = ElementTree.parse(POM).findtext(".//{*}kafka.version")
    if version is None:
        raise ValueError(f"{POM} does not name kafka.version")
    return version


def kafka_home() -> Path:
    """Where the jars are, or will be."""
    configured = os.environ.get(HOME_VARIABLE)
    if configured:
        return Path(configured).expanduser()
    return Path.home() / ".cache" / "mirante" / f"kafka-{kafka_version()}"


def class_path(home: Path) -> str | None:
    """The class path of an installation; None when there is none at `home`."""
    libs = home / "libs"
    return f"{libs}{os.sep}*" if any(libs.glob("kafka_2.13-*.jar")) else None


def missing() -> str | None:
    """Why Apache Kafka cannot be started here, or None when it can (perhaps after a download). For tests that skip."""
    if _java() is None:
        return f"Java is missing: {_JAVA_ADVICE}"
    if class_path(kafka_home()) is None and shutil.which("mvn") is None:
        return f"Maven is missing: {_MAVEN_ADVICE}"
    return None


_JAVA_ADVICE = (
    f"install a Java runtime, {MINIMUM_JAVA} or later (Debian and Ubuntu: apt install openjdk-17-jre-headless; "
    "Homebrew: brew install openjdk), and have `java` on PATH or JAVA_HOME set."
)
_MAVEN_ADVICE = (
    "install Maven (Debian and Ubuntu: apt install maven; Homebrew: brew install maven), "
    f"or set {HOME_VARIABLE} to an unpacked Apache Kafka 4 distribution."
)


def _java() -> str | None:
    home = os.environ.get("JAVA_HOME")
    if home:
        return shutil.which(str(Path(home) / "bin" / "java"))
    return shutil.which("java")


async def java() -> str:
    """Path of a Java runtime that is recent enough. Raises KafkaUnavailable."""
    path = _java()
    if path is None:
        raise KafkaUnavailable(f"Apache Kafka needs Java: {_JAVA_ADVICE}")
    process = await asyncio.create_subprocess_exec(
        path, "-version", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    text = (await process.communicate())[0].decode(errors="replace")
    found = re.search(r'version "(?:1\.)?(\d+)', text)  # 1.8 was 8
    if found is None:
        raise KafkaUnavailable(f"`{path} -version` does not name a version ({text.strip()[:200]}): {_JAVA_ADVICE}")
    if int(found[1]) < MINIMUM_JAVA:
        raise KafkaUnavailable(f"Apache Kafka needs Java {MINIMUM_JAVA}, {path} is Java {found[1]}: {_JAVA_ADVICE}")
    return path


async def ensure_jars(progress: Progress = report) -> str:
    """The class path of the broker, downloaded with Maven if need be. Raises KafkaUnavailable or ProcessFailed."""
    home = kafka_home()
    found = class_path(home)
    if found is not None:
        return found
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaUnavailable(f"The jars of Apache Kafka are not in {home} and Maven is missing: {_MAVEN_ADVICE}")
    home.parent.mkdir(parents=True, exist_ok=True)
    with await asyncio.to_thread(_exclusive, home.parent / f"{home.name}.lock"):
        found = class_path(home)  # another process may have just done it
        if found is None:
            await _download(maven, home, progress)
            found = class_path(home)
    if found is None:
        raise KafkaUnavailable(f"Maven ended well but {home} holds no Kafka jars; remove that directory and try again.")
    return found


async def _download(maven: str, home: Path, progress: Progress) -> None:
    version = kafka_version()
    started = time.monotonic()
    progress(f"Downloading Apache Kafka {version} with Maven (about 45 MB, once) into {home} ...")
    # Beside its place and renamed into it at the end, so that an interrupted download leaves no half installation.
    with tempfile.TemporaryDirectory(prefix=f"{home.name}.", dir=home.parent) as scratch:
        libs = Path(scratch) / "home" / "libs"
        # A copy of the pom, because Maven writes beside it.
        pom = Path(shutil.copy(POM, scratch))
        process = ManagedProcess(
            "maven",
            [
                *(maven, "-B", "-q", "-f", str(pom)),
                *("dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={libs}"),
            ],
            log_dir=Path(scratch),
            hint=f"Check the network and Maven's settings (proxy, mirror), or {_MAVEN_ADVICE}",
        )
        ticker = asyncio.create_task(_tick(libs, progress))
        try:
            await run_to_end(process, DOWNLOAD_TIMEOUT)
        finally:
            ticker.cancel()
        shutil.rmtree(home, ignore_errors=True)
        libs.parent.replace(home)
    progress(f"Apache Kafka {version} is ready after {time.monotonic() - started:.0f} s.")


async def _tick(libs: Path, progress: Progress) -> None:
    while True:
        await asyncio.sleep(PROGRESS_SECONDS)
        sizes = _jar_sizes(libs)
        progress(f"  still downloading: {len(sizes)} jars, {sum(sizes) / 1e6:.0f} MB in place")


def _jar_sizes(libs: Path) -> list[int]:
    return [jar.stat().st_size for jar in libs.glob("*.jar")]


@contextlib.contextmanager
def _held(lock: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(lock)


def _exclusive(path: Path) -> contextlib.AbstractContextManager[None]:
    """Take a lock between processes; leaving the context releases it."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return _held(lock)
