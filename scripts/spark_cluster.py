"""A real standalone Spark cluster on loopback, from the pinned package: a master and workers, processes of ours."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

START_SECONDS = 60.0
STOP_SECONDS = 20.0


@dataclass
class Standalone:
    """The processes of a cluster, and what a driver has to know of it."""

    master_url: str
    folder: Path
    master: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """What a driver's environment needs: where the settings lie, and this Python."""
        return os.environ | {
            "SPARK_CONF_DIR": str(self.folder / "conf"),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "PYSPARK_PYTHON": sys.executable,
        }

    def add_worker(self, cores: int = 1) -> None:
        """Start one worker more."""
        number = len(self.workers)
        command = [
            _spark_class(), "org.apache.spark.deploy.worker.Worker", self.master_url,
            "--host", "127.0.0.1", "--port", "0", "--webui-port", "0", "--cores", str(cores), "--memory", "3g",
            "--work-dir", str(self.folder / f"worker-{number}"),
        ]  # fmt: skip
        self.workers.append(_started(command, self.folder / f"worker-{number}.log"))
        _wait_for(
            self.folder / f"worker-{number}.log", "Successfully registered with master", self.workers[-1]
        )

    def kill_worker(self) -> None:
        """End the last worker and its executors at once, as a machine that loses power."""
        _end_group(self.workers.pop(), signal.SIGKILL)

    def kill_master(self) -> None:
        """End the master at once."""
        _end_group(self.master, signal.SIGKILL)


@contextmanager
def standalone(
    folder: Path, workers: int = 2, cores: int = 1, executor_memory: str = "1g"
) -> Iterator[Standalone]:
    """A cluster in *folder*, ended with the context, whatever happens inside."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "conf").mkdir(exist_ok=True)
    (folder / "conf" / "spark-defaults.conf").write_text(
        f"spark.executor.memory {executor_memory}\nspark.executor.cores {cores}\nspark.ui.enabled false\n"
        f"spark.eventLog.enabled true\nspark.eventLog.dir {(folder / 'events').resolve().as_uri()}\n"
        "spark.eventLog.compress false\nspark.network.timeout 60s\nspark.executor.heartbeatInterval 5s\n",
        encoding="utf-8",
    )
    (folder / "events").mkdir(exist_ok=True)
    port = _free_port()
    command = [
        _spark_class(), "org.apache.spark.deploy.master.Master", "--host", "127.0.0.1", "--port", str(port),
        "--webui-port", str(_free_port()),
    ]  # fmt: skip
    cluster = Standalone(f"spark://127.0.0.1:{port}", folder, _started(command, folder / "master.log"))
    try:
        _wait_for(folder / "master.log", "I have been elected leader", cluster.master)
        for _ in range(workers):
            cluster.add_worker(cores)
        yield cluster
    finally:
        for process in [*cluster.workers, cluster.master]:
            _end_group(process, signal.SIGTERM)


def _spark_class() -> str:
    import pyspark

    return str(Path(pyspark.__file__).parent / "bin" / "spark-class")


def _started(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {"SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
    with log.open("wb") as file:
        # A session of its own: an executor is the worker's child, and ends with the group.
        return subprocess.Popen(  # noqa: S603
            command, stdout=file, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )


def _wait_for(log: Path, sign: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if sign in log.read_text(encoding="utf-8", errors="replace"):
            return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError(
        f"{log}: never said {sign!r}:\n{log.read_text(encoding='utf-8', errors='replace')[-2000:]}"
    )


def _end_group(process: subprocess.Popen[bytes], number: int) -> None:
    try:
        os.killpg(process.pid, number)
        process.wait(STOP_SECONDS)
    except ProcessLookupError:
        pass
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(STOP_SECONDS)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
