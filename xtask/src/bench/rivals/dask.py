"""Times trivial tasks in Dask and prints a list of seconds: HOW (single, many), COUNT, DIRECTORY."""

import json
import os
import sys
import time

from distributed import Client, LocalCluster

SIZE = 1024


def turn_over(data):
    return bytes(byte ^ 255 for byte in data)


def finish(future, path):
    with open(path, "wb") as file:
        file.write(future.result() if hasattr(future, "result") else future)


def single(client, count, directory):
    times = []
    for number in range(count + 5):
        data = os.urandom(SIZE)
        start = time.perf_counter()
        finish(client.submit(turn_over, data), os.path.join(directory, str(number)))
        times.append(time.perf_counter() - start)
    return times[5:]


def many(client, count, directory):
    client.gather(client.map(turn_over, [os.urandom(SIZE) for _ in range(100)]))
    inputs = [os.urandom(SIZE) for _ in range(count)]
    start = time.perf_counter()
    for number, output in enumerate(client.gather(client.map(turn_over, inputs))):
        finish(output, os.path.join(directory, str(number)))
    return [time.perf_counter() - start]


if __name__ == "__main__":
    how, count, directory = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    with LocalCluster(
        n_workers=os.cpu_count(), threads_per_worker=1, dashboard_address=None,
        local_directory=directory,
    ) as cluster, Client(cluster) as client:
        print(json.dumps({"single": single, "many": many}[how](client, count, directory)))
