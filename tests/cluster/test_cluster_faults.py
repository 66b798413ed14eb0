"""On a real standalone cluster: what a lost worker, a lost master and an unreadable piece of input do to a run."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from thingwatch.replay import replay

COMMAND = Path(sys.executable).with_name("thingwatch")
MAX_SECONDS = 600.0


@pytest.fixture(scope="module")
def mail(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some seven hundred mails."""
    folder = tmp_path_factory.mktemp("faults") / "replay"
    replay(0.0005, 3, folder, evidence="none")
    return folder / "mail.mbox"


@pytest.fixture(scope="module")
def expected(mail: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The case of that mail, by DuckDB."""
    case = tmp_path_factory.mktemp("faults") / "duckdb"
    subprocess.run([COMMAND, "uncover", mail, "--out", case, "--quiet"], check=True)
    return case


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[object]:
    """One master, two workers of one core."""
    from spark_cluster import standalone

    with standalone(tmp_path / "cluster") as running:
        yield running


def _begun(cluster: object, mail: Path, out: Path) -> subprocess.Popen[str]:
    """A run that has read its mail and is grouping."""
    process = subprocess.Popen(
        [COMMAND, "uncover", mail, "--out", out, "--quiet", "--engine", f"spark={cluster.master_url}"],  # type: ignore[attr-defined]
        env=cluster.environment,  # type: ignore[attr-defined]
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + MAX_SECONDS
    while time.monotonic() < end and process.poll() is None:
        if any(out.parent.glob(f".{out.name}.partial-*/.work/tables/buckets-1/_SUCCESS")):
            return process
        time.sleep(0.1)
    raise AssertionError(
        f"ended or hung before it grouped: {process.stderr.read() if process.poll() else ''}"
    )  # type: ignore[union-attr]


def _ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, said = process.communicate(timeout=MAX_SECONDS)
    return process.returncode, said


@pytest.mark.nightly
def test_killed_worker_costs_its_tasks_only(
    cluster: object, mail: Path, expected: Path, tmp_path: Path
) -> None:
    """With one of two workers and its executor killed while grouping, the run finishes, and its case is the same."""
    from same_case import differences

    process = _begun(cluster, mail, tmp_path / "case")
    cluster.kill_worker()  # type: ignore[attr-defined]
    code, said = _ended(process)
    assert code == 0, said
    assert differences(expected, tmp_path / "case") == []


@pytest.mark.nightly
def test_lost_master_and_workers_end_the_run(cluster: object, mail: Path, tmp_path: Path) -> None:
    """With nobody left, the run ends by itself, in one sentence, and leaves no folder."""
    process = _begun(cluster, mail, tmp_path / "case")
    cluster.kill_master()  # type: ignore[attr-defined]
    for _ in range(2):
        cluster.kill_worker()  # type: ignore[attr-defined]
    code, said = _ended(process)
    assert code == 3
    assert "the cluster is gone" in said
    assert "Traceback" not in said
    assert not [found for found in tmp_path.iterdir() if "case" in found.name]


@pytest.mark.nightly
def test_lost_master_alone_is_survived(cluster: object, mail: Path, expected: Path, tmp_path: Path) -> None:
    """A run under way has its workers; the master is not asked again."""
    from same_case import differences

    process = _begun(cluster, mail, tmp_path / "case")
    cluster.kill_master()  # type: ignore[attr-defined]
    code, said = _ended(process)
    if code == 0:
        assert differences(expected, tmp_path / "case") == []
    else:  # Spark gives up by itself after its own tries to register anew
        assert code == 3
        assert "the cluster is gone" in said
        assert not (tmp_path / "case").exists()


def test_nobody_at_the_master_url(mail: Path, tmp_path: Path) -> None:
    """A master that is not there is named, and nothing is written."""
    done = _uncover(mail, tmp_path / "case", "spark=spark://127.0.0.1:9")
    assert done.returncode == 3
    assert "spark://127.0.0.1:9" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_unreadable_split_is_named(mail: Path, tmp_path: Path) -> None:
    """A table whose pages are damaged ends a run over URLs by its name, and leaves no folder."""
    table = tmp_path / "mail" / "mail.parquet"
    table.parent.mkdir()
    rows = [b"From: a@example.org\nSubject: %d\n\nhello %d\n" % (n, n) for n in range(2000)]
    pq.write_table(
        __import__("pyarrow").table({"raw": rows}), table, compression="none", use_dictionary=False
    )
    content = bytearray(table.read_bytes())
    content[4:2000] = b"\xff" * 1996
    table.write_bytes(bytes(content))
    done = _uncover(table.as_uri(), tmp_path / "case", "spark")
    assert done.returncode == 3
    assert "mail.parquet" in done.stderr
    assert "Traceback" not in done.stderr
    assert [found.name for found in tmp_path.iterdir()] == ["mail"]


def test_url_of_nothing_and_without_a_cluster(tmp_path: Path) -> None:
    """A URL where nothing is, and a URL without Spark, are said as such."""
    url = (tmp_path / "nothing").as_uri()
    for engine, words in (("spark", "nothing there"), ("duckdb", "only a cluster reads URLs")):
        done = _uncover(url, tmp_path / "case", engine)
        assert done.returncode == 3
        assert words in done.stderr
        assert not list(tmp_path.iterdir())


def _uncover(mail: Path | str, out: Path, engine: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, "uncover", mail, "--out", out, "--quiet", "--engine", engine],
        capture_output=True, text=True, timeout=MAX_SECONDS,
    )  # fmt: skip
