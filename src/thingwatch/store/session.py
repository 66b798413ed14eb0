"""A Spark session as we need it, and what Spark says in two hundred lines, in one."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from urllib.parse import urlsplit

from pyspark.sql import SparkSession

from thingwatch.config import Settings
from thingwatch.errors import InputError, SettingError


def session_on(master: str, settings: Settings) -> SparkSession:
    """A session on *master*; raises SettingError where Java is missing, InputError where nobody answers."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
    near = master.startswith("local") or urlsplit(master).hostname in ("127.0.0.1", "localhost", "::1")
    if near:
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    quiet = Path(__file__).with_name("log4j2.properties").as_uri()
    build = (
        SparkSession.builder.master(master)
        .appName("thingwatch")
        # Times are UTC, and stand in Parquet as every reader knows them.
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
        .config("spark.ui.showConsoleProgress", "false")
        # The driver's own words; what executors say stands in their logs.
        .config("spark.driver.extraJavaOptions", f"-Dlog4j2.configurationFile={quiet}")
    )
    if near:
        build = build.config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
        build = build.config("spark.driver.memory", f"{max(1024, settings.memory_mb)}m")
    try:
        session = build.getOrCreate()
    except Exception as error:
        if shutil.which("java") is None and not os.environ.get("JAVA_HOME"):
            raise SettingError(
                "--engine spark: no Java found; install a Java runtime, 17 or 21 (Debian: openjdk-17-jre-headless)"
            ) from error
        raise InputError(f"spark={master}: no session ({cause_in(str(error))})") from error
    context = session.sparkContext
    ours = {
        "spark.sql.shuffle.partitions": str(max(8, 4 * context.defaultParallelism)),
        # A table of a thousand rows is one file and one task, not eight.
        "spark.sql.adaptive.coalescePartitions.parallelismFirst": "false",
        # Our rows are narrow: 16 MB of them are a second's work. What a hot key gathers beyond is split.
        "spark.sql.adaptive.advisoryPartitionSizeInBytes": "16m",
        "spark.sql.adaptive.skewJoin.skewedPartitionThresholdInBytes": "32m",
        "spark.sql.adaptive.skewJoin.skewedPartitionFactor": "3",
    }
    for name, value in ours.items():
        if not context.getConf().contains(name):
            session.conf.set(name, value)
    return session


def first_line(text: str, sign: str) -> str:
    """The first line of *text* that has *sign* in it, shortened."""
    line = next((line for line in text.splitlines() if sign in line), text)
    return " ".join(line.split())[:400]


def cause_in(text: str) -> str:
    """The line that says most: the last "Caused by" or Python error of a long trace, or its first line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    python = [line for line in lines if line.split(":")[0].endswith("Error") and not line.startswith("at ")]
    caused = [line for line in lines if line.startswith("Caused by:")]
    return " ".join((python or caused or lines or ["no reason given"])[-1].split())[:400]
