"""Classifying whole catalogues on Dask: many files in, Parquet or any other sink out.

inputs          which files there are
tasks           what workers do: classify a part of a file
run             keeps workers busy and gives out results in the order of the input
report          what was found in the files, and what the run came to
parquet_output  a folder of Parquet that is whole or not there
cluster         processes of our own, or somebody's Dask scheduler

Dask starts and feeds the workers and repeats what dead ones had under way; fsspec and pyarrow, on which its
readers and writers stand, read and write the files. Dask's `read_csv` and `read_parquet` are no use here: the
first cuts rows whose cells hold line ends, and both lose where a wrong cell was.
"""
