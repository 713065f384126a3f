"""Says of the archive in argv[1] what pyarrow, DuckDB and Polars find there, one JSON line each."""

import json
import sys

import duckdb
import polars as pl
import pyarrow.compute as pc
import pyarrow.dataset as ds

FOLDER = sys.argv[1]
NAMES = ["events", "types", "value", "tv", "users", "days", "received", "shown", "first"]


def say(engine, *values):
    said = dict(zip(NAMES, values, strict=True))
    print(json.dumps({"engine": engine, "said": said}), flush=True)


def by_pyarrow():
    table = ds.dataset(f"{FOLDER}/events", format="parquet", partitioning="hive").to_table()
    acts = table.filter(pc.field("fact") == "interaction")
    counts = acts.group_by("type").aggregate([("type", "count")]).to_pylist()
    shown = ds.dataset(f"{FOLDER}/decisions", format="parquet", partitioning="hive").to_table()
    say(
        "pyarrow",
        table.num_rows,
        {row["type"]: row["type_count"] for row in counts},
        float(pc.sum(acts["value"]).as_py()),
        sum(json.loads(text).get("device") == "tv" for text in acts["context"].to_pylist() if text),
        len(pc.unique(acts["user"].drop_null())),
        sorted({str(day) for day in table["day"].to_pylist()}),
        pc.max(table["received"]).cast("int64").as_py(),
        shown.filter(pc.field("rank").is_valid()).num_rows,
        sorted(set(shown.filter(pc.field("rank") == 1)["item"].to_pylist())),
    )


def by_duckdb():
    def one(query):
        return duckdb.sql(query).fetchall()[0][0]

    events = f"read_parquet('{FOLDER}/events/*/*.parquet', hive_partitioning = true)"
    decisions = f"read_parquet('{FOLDER}/decisions/*/*.parquet', hive_partitioning = true)"
    acts = f"(select * from {events} where fact = 'interaction')"
    say(
        "duckdb",
        one(f"select count(*) from {events}"),
        dict(duckdb.sql(f"select type, count(*) from {acts} group by type").fetchall()),
        one(f"select sum(value) from {acts}"),
        one(f"select count(*) from {acts} where context::json ->> 'device' = 'tv'"),
        one(f'select count(distinct "user") from {acts}'),
        sorted(str(day) for (day,) in duckdb.sql(f"select distinct day from {events}").fetchall()),
        one(f"select epoch_us(max(received)) from {events}"),
        one(f"select count(*) from {decisions} where rank is not null"),
        sorted(item for (item,) in duckdb.sql(f"select distinct item from {decisions} where rank = 1").fetchall()),
    )


def by_polars():
    events = pl.scan_parquet(f"{FOLDER}/events", hive_partitioning=True)
    acts = events.filter(pl.col("fact") == "interaction")
    shown = pl.scan_parquet(f"{FOLDER}/decisions", hive_partitioning=True)
    device = pl.col("context").str.json_path_match("$.device")
    say(
        "polars",
        events.select(pl.len()).collect().item(),
        dict(acts.group_by("type").len().collect().iter_rows()),
        acts.select(pl.col("value").cast(pl.Float64).sum()).collect().item(),
        acts.filter(device == "tv").select(pl.len()).collect().item(),
        acts.select(pl.col("user").drop_nulls().n_unique()).collect().item(),
        sorted(str(day) for day in events.select("day").unique().collect()["day"]),
        events.select(pl.col("received").max().dt.epoch("us")).collect().item(),
        shown.filter(pl.col("rank").is_not_null()).select(pl.len()).collect().item(),
        sorted(shown.filter(pl.col("rank") == 1).select(pl.col("item").unique()).collect()["item"]),
    )


by_pyarrow()
by_duckdb()
by_polars()
